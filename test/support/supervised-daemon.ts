/**
 * A daemon under its supervisor (`vkmemd --supervisor`), which tests kill and restart to check what survives.
 */
import { spawn } from 'node:child_process';
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Decoded } from '@vkmemd/proto';
import type { Test } from 'tap';
import { ControlWire } from './control-wire.js';
import { driverUnderTest, plainEnvironment, plainNode, root, temporaryFolder } from './daemon.js';
import { HandoffWire } from './handoff-wire.js';

const PROGRAM = join(root, 'daemon/bin/vkmemd.js');
/** An emulated processor of the lab needs more than a minute for a start of the daemon. */
const PATIENCE_MS = process.env.VKMEMD_LAB === undefined ? 60_000 : 300_000;
/** The gRPC status of a call to a socket on which no process listens. */
const GRPC_UNAVAILABLE = 14;

export interface SupervisedOptions {
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** TOML. */
  readonly policy?: string;
  /**
   * The runtime folder is a tmpfs of this size, such as '1m', in a mount namespace of the supervisor's own.
   * Needs root.
   */
  readonly tmpfs?: string;
  /** A command that runs the supervisor as its last step. */
  readonly before?: readonly string[];
}

/** Mounts the tmpfs $1 of the size $0 and executes the other arguments. */
const IN_TMPFS = 'mount -t tmpfs -o mode=0755,size="$0" vkmemd-test "$1" && shift && exec "$@"';

export type Greeted = HandoffWire & { welcome: Decoded<'Welcome'> };

/** Polls every few milliseconds until the function returns a value. */
export async function until<T>(
  what: string | (() => string),
  look: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`timed out: ${typeof what === 'string' ? what : what()}`);
}

/** What the kernel tells of an fd of a process; empty if that was closed meanwhile. */
export function fdInfo(pid: number, fd: string): string {
  try {
    return readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8');
  } catch {
    return '';
  }
}

/** Whether an fd of a daemon is the pidfd of its front, which is its only child. */
export function isOfFront(pid: number, fd: string): boolean {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
  const [, watched] = /^Pid:\s*(\d+)$/m.exec(fdInfo(pid, fd)) ?? [];
  return watched !== undefined && children.includes(watched);
}

/** The memory files and processes that a daemon has open, without its front. */
export function openOf(pid: number): { readonly memory: number; readonly processes: number } {
  const links = readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      const link = readlinkSync(`/proc/${pid}/fd/${fd}`);
      return link.includes('pidfd') && isOfFront(pid, fd) ? [] : [link];
    } catch {
      return []; // It was closed meanwhile.
    }
  });
  const count = (pattern: RegExp) => links.filter((link) => pattern.test(link)).length;
  return { memory: count(/^\/memfd:/), processes: count(/pidfd/) };
}

export class SupervisedDaemon {
  readonly runtimeDir: string;
  /** Where a failpoint is named (daemon/store/failing.ts). */
  readonly failpoint: string;
  /** The path of the policy. */
  readonly policy: string;
  readonly supervisor: number;
  readonly ended: Promise<number | null>;
  #log = '';

  private constructor(t: Test, options: SupervisedOptions) {
    const runtimeDir = temporaryFolder(t);
    const folder = temporaryFolder(t);
    this.failpoint = join(folder, 'failpoint');
    this.policy = join(folder, 'policy.toml');
    writeFileSync(this.policy, options.policy ?? '');
    const args = [PROGRAM, '--supervisor', '--runtime-dir', runtimeDir, '--config', this.policy];
    const env = {
      ...plainEnvironment(),
      VK_DRIVER_FILES: driverUnderTest(),
      VKMEMD_TEST_FAILPOINT: this.failpoint,
      ...options.env,
    };
    const node = plainNode(['--conditions=vkmemd-test', ...args, ...(options.args ?? [])]);
    const { tmpfs, before = [] } = options;
    const [program = '', ...words] = [...before, node[0], ...node[1]];
    const mounted = ['--mount', '--propagation', 'private', 'sh', '-c', IN_TMPFS, tmpfs ?? '', runtimeDir];
    const run: [string, string[]] =
      tmpfs === undefined ? [program, words] : ['unshare', [...mounted, program, ...words]];
    const child = spawn(...run, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    if (child.pid === undefined) throw new Error('the supervisor could not be started');
    this.supervisor = child.pid;
    this.runtimeDir = tmpfs === undefined ? runtimeDir : `/proc/${child.pid}/root${runtimeDir}`;
    for (const input of [child.stdout, child.stderr]) {
      createInterface({ input }).on('line', (line) => {
        this.#log = `${this.#log}${line}\n`.slice(-1 << 16);
      });
    }
    this.ended = new Promise((resolve) => {
      child.once('exit', resolve);
    });
    t.teardown(async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await this.ended;
    });
  }

  static async start(t: Test, options: SupervisedOptions = {}): Promise<SupervisedDaemon> {
    const daemon = new SupervisedDaemon(t, options);
    await daemon.serving();
    return daemon;
  }

  /** The last part of both logs. */
  get log(): string {
    return this.#log;
  }

  /** The daemon's pid; undefined while no daemon runs. */
  get pid(): number | undefined {
    try {
      const children = readFileSync(`/proc/${this.supervisor}/task/${this.supervisor}/children`, 'utf8');
      return Number(children.trim().split(' ')[0]) || undefined;
    } catch {
      return undefined; // The supervisor has ended.
    }
  }

  /** Fills the file system of its runtime folder. @returns empties it. */
  fill(): () => void {
    const path = join(this.runtimeDir, 'fill');
    const fd = openSync(path, 'w');
    try {
      for (;;) writeSync(fd, Buffer.alloc(4096));
    } catch (failure) {
      if ((failure as { code?: string }).code !== 'ENOSPC') throw failure;
    } finally {
      closeSync(fd);
    }
    return () => rmSync(path);
  }

  /** Kills the daemon, not its supervisor, and waits until the process has ended. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const pid = await until('a daemon to kill', () => this.pid);
    process.kill(pid, signal);
    await this.gone(pid);
  }

  /** Waits until the daemon is a different process than this one. */
  async gone(pid: number): Promise<void> {
    await until('its end', () => (this.pid === pid ? undefined : true));
  }

  /** Waits until the daemon serves requests. Returns its incarnation. */
  async serving(): Promise<string> {
    return until(
      () => `a daemon that serves requests\n${this.#log}`,
      async () => {
        // A new channel for each attempt, because gRPC waits longer after each failed attempt.
        const control = new ControlWire(this.runtimeDir);
        try {
          return (await control.call('ListDevices', {})).incarnation;
        } catch (failure) {
          const { code } = failure as { code?: unknown };
          if (code === 'UNAVAILABLE' || code === GRPC_UNAVAILABLE) return undefined;
          throw failure;
        } finally {
          control.close();
        }
      },
    );
  }

  /** Connects without a session, or resumes a session from before the restart. */
  async open(before?: { readonly token: string; readonly grantIds: readonly bigint[] }): Promise<Greeted> {
    const wire = await until('a connection', () => {
      try {
        return new HandoffWire(this.runtimeDir);
      } catch {
        return undefined;
      }
    });
    const { token: sessionToken, grantIds } = before ?? { token: '', grantIds: [] };
    const { message } = await wire.ask({
      hello: { protocolVersion: 1, clientName: 'test', sessionToken, grantIds },
    });
    if (!message.welcome) throw new Error('no welcome');
    return Object.assign(wire, { welcome: message.welcome });
  }

  /** The memory files and processes that the supervisor has open. */
  get storedFds(): { readonly memory: number; readonly processes: number } {
    return openOf(this.supervisor);
  }

  /** Makes writes to the ledger fail by the pattern (daemon/store/failing.ts). */
  failWrites(errno: string, pattern = '1'): void {
    this.setFailpoints([`ledger:write ${errno} ${pattern}`]);
  }

  /** Replaces all failpoints. @param lines as daemon/store/failing.ts describes them. */
  setFailpoints(lines: readonly string[]): void {
    writeFileSync(`${this.failpoint}.new`, lines.join('\n'));
    renameSync(`${this.failpoint}.new`, this.failpoint);
  }

  /** Ends the delay of the supervisor before its next daemon. A daemon that has just started is restarted. */
  hurry(): void {
    process.kill(this.supervisor, 'SIGUSR2');
  }

  /** Lets writes to the ledger succeed again. */
  writesSucceed(): void {
    rmSync(this.failpoint, { force: true });
  }

  /** Makes the daemon end at a failpoint, once. */
  failAt(name: string): void {
    this.setFailpoints([name]);
  }
}
