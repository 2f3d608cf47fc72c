/**
 * What surrounds the daemon, if the harness is root: a service manager with an fd store, so that all is recorded; a
 * file system of its own for the ledger, which is filled at times; and a control group, whose limit of memory is
 * lowered at times to little more than what is used. Then the daemon refuses what it must, with these codes, and
 * nothing else changes.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { Companion, programOf, type User } from './companion.js';
import type { Guardian } from './guardian.js';
import type { FromManager } from './messages.js';
import type { Random } from './random.js';
import { rest } from './rest.js';

/** The codes that a correct client may get while the surroundings are disturbed. */
export const REFUSED = ['LEDGER_FULL', 'DEVICE_OUT_OF_MEMORY', 'BUDGET_EXCEEDED'];
/** What the daemon logs as an error then. */
const LOGGED = /^the ledger cannot be written/;
const STATE_SIZE = '4m';
const GROUPS = '/sys/fs/cgroup/memory';
const MIB = 1 << 20;
/** Of the limit above what is used. The daemon keeps 32 MiB for itself, and the front grows meanwhile. */
const ROOM_MIB = [160, 320] as const;
const MAX_MS = 1500;
const EMPTY_MS = 15_000;

/** Mounts the state folder $1, owned by $2:$3, enters the group $4 if there is one, and executes the rest as $2:$3. */
const ENTER = [
  `mount -t tmpfs -o "mode=0700,uid=$2,gid=$3,size=${STATE_SIZE}" vkmemd-chaos "$1"`,
  '{ [ -z "$4" ] || echo $$ >"$4/cgroup.procs"; }',
  'uid=$2 gid=$3',
  'shift 4',
  'exec setpriv --reuid "$uid" --regid "$gid" --clear-groups "$@"',
].join(' && ');

export class Surroundings {
  /** The command that the daemon is started by. */
  readonly before: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  readonly #manager: Companion;
  readonly #state: string;
  readonly #group: string | undefined;
  #heard: (stored: number) => void = () => {};

  private constructor(guardian: Guardian, folder: string, runtimeDir: string, { uid, gid }: User) {
    this.#state = join(runtimeDir, 'state');
    mkdirSync(this.#state);
    this.#group = newGroup(guardian);
    const address = join(folder, 'notify');
    this.environment = { NOTIFY_SOCKET: address, VKMEMD_FDSTORE_MAX: '16384' };
    this.#manager = new Companion(guardian, { args: [programOf('manager'), address], user: { uid, gid } });
    const words = [this.#state, String(uid), String(gid), this.#group ?? ''];
    this.before = ['unshare', '--mount', '--propagation', 'private', 'sh', '-ec', ENTER, 'sh', ...words];
  }

  /** @param folder The user of the daemon may write to it. */
  static async begin(
    guardian: Guardian,
    folder: string,
    runtimeDir: string,
    user: User,
  ): Promise<Surroundings> {
    const made = new Surroundings(guardian, folder, runtimeDir, user);
    const ready = new Promise<number>((resolve) => {
      made.#heard = resolve;
    });
    void made.#manager.listen<FromManager>(({ stored }) => made.#heard(stored));
    const ended = made.#manager.ended.then(() => {
      throw new Error(`the service manager ended: ${made.#manager.errors}`);
    });
    await Promise.race([ready, ended]);
    ended.catch(() => {});
    return made;
  }

  /** Whether the daemon may log this error. */
  static permits(fault: string): boolean {
    return LOGGED.test(fault);
  }

  static plan(random: Random): {
    readonly what: 'disk' | 'memory';
    readonly mib: number;
    readonly forMs: number;
  } {
    return {
      what: random.pick(['disk', 'memory'] as const),
      mib: random.between(...ROOM_MIB),
      forMs: random.between(50, MAX_MS),
    };
  }

  /** Disturbs them for a while. @param pid The daemon's. */
  async disturb({ what, mib, forMs }: ReturnType<typeof Surroundings.plan>, pid: number): Promise<void> {
    const end = what === 'disk' ? this.#fill(pid) : this.#squeeze(mib);
    await rest(forMs);
    end();
  }

  /** The number of fds that stay stored once the daemon holds nothing; it must be 0. */
  async left(): Promise<number> {
    let stored = await this.#stored();
    for (const end = Date.now() + EMPTY_MS; stored > 0 && Date.now() < end; stored = await this.#stored()) {
      await rest(50);
    }
    return stored;
  }

  /** Called when the daemon has ended. */
  end(): void {
    this.#manager.signal('SIGTERM');
    if (this.#group !== undefined) rmdirSync(this.#group);
  }

  #stored(): Promise<number> {
    return new Promise((resolve) => {
      this.#heard = resolve;
      this.#manager.send('stored');
    });
  }

  /** Fills the file system of the ledger. @returns empties it. */
  #fill(pid: number): () => void {
    const path = `/proc/${pid}/root${this.#state}/fill`;
    const fd = openSync(path, 'w');
    try {
      for (;;) writeSync(fd, Buffer.alloc(4096));
    } catch (failure) {
      if ((failure as NodeJS.ErrnoException).code !== 'ENOSPC') throw failure;
    } finally {
      closeSync(fd);
    }
    return () => rmSync(path, { force: true });
  }

  /** Limits the memory of the daemon and its front. @returns ends it. */
  #squeeze(mib: number): () => void {
    const group = this.#group;
    if (group === undefined) return () => {};
    const limit = join(group, 'memory.limit_in_bytes');
    const used = Number(readFileSync(join(group, 'memory.usage_in_bytes'), 'latin1'));
    writeFileSync(limit, String(used + mib * MIB));
    return () => writeFileSync(limit, '-1');
  }
}

/** A control group, which the guardian removes otherwise; undefined if none can be made. */
function newGroup(guardian: Guardian): string | undefined {
  if (!existsSync(join(GROUPS, 'memory.limit_in_bytes'))) return undefined;
  const group = join(GROUPS, `vkmemd-chaos-${process.pid}`);
  mkdirSync(group);
  guardian.willRemoveGroup(group);
  return group;
}
