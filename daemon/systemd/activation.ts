/**
 * Socket activation: the sockets that the service manager listens on in the daemon's place, and goes on listening on
 * while no daemon runs. Who connects meanwhile waits, and is served by the next.
 *
 * They are known by the names that the socket units give them (FileDescriptorName=). One that is not what its plane
 * needs is a mistake in its unit: the daemon does not start, and says which setting it is. Their files are the
 * manager's to make and to remove. Who belongs to the group of such a file may connect to it, so that group is what the
 * daemon's own would be otherwise (policy.ts).
 */
import { statSync } from 'node:fs';
import { closeAll, describeSocket, type OwnedFd, VkmemError } from '@vkmemd/proto';
import type { ListenFds } from './listen-fds.js';

/** Planes, as the units' FileDescriptorName= calls their sockets. */
export type PlaneName = 'handoff' | 'control' | 'admin';

const SETTINGS = {
  handoff: { type: 'seqpacket', setting: 'ListenSequentialPacket=' },
  control: { type: 'stream', setting: 'ListenStream=' },
  admin: { type: 'stream', setting: 'ListenStream=' },
} as const;

export interface ActivatedSocket {
  /** Listens. Whoever takes it over owns it. */
  readonly fd: OwnedFd;
  readonly path: string;
  /** Of the socket's file. */
  readonly gid: number;
}

export class Activation {
  readonly handoff: ActivatedSocket | undefined;
  readonly control: ActivatedSocket | undefined;
  readonly admin: ActivatedSocket | undefined;
  /** What came under any other name. */
  readonly others: ReadonlyMap<string, readonly OwnedFd[]>;
  readonly #all: readonly OwnedFd[];

  /**
   * @param fds taken over, also on failure.
   * @throws VkmemError INVALID_ARGUMENT where a socket is not what its plane needs.
   */
  constructor(fds: ListenFds) {
    this.#all = [...fds.values()].flat();
    const others = new Map(fds);
    try {
      this.handoff = activated(others, 'handoff');
      this.control = activated(others, 'control');
      this.admin = activated(others, 'admin');
    } catch (failure) {
      this.close();
      throw failure;
    }
    this.others = others;
  }

  /**
   * The groups whose members may connect.
   * @param own the daemon's, which has the sockets that it makes itself.
   */
  groups(own: number): ReadonlySet<number> {
    return new Set([this.handoff?.gid ?? own, this.control?.gid ?? own]);
  }

  /** Closes what nobody took over. */
  close(): void {
    closeAll(this.#all);
  }
}

/** Takes the plane's socket out of `fds`. */
function activated(fds: ListenFds, plane: PlaneName): ActivatedSocket | undefined {
  const [fd, ...more] = fds.get(plane) ?? [];
  if (!fd) return undefined;
  if (more.length > 0) throw wrong(plane, `is passed ${more.length + 1} times: one Listen line is enough`);
  const { type, setting } = SETTINGS[plane];
  let found: ReturnType<typeof describeSocket>;
  try {
    found = describeSocket(fd);
  } catch (failure) {
    if (!(failure instanceof VkmemError)) throw failure;
    throw wrong(plane, `is no socket: it takes ${setting} with a path`, failure);
  }
  const { path, listening } = found;
  if (!found.unix || found.type !== type || path === undefined) {
    throw wrong(plane, `is not a Unix ${type} socket with a path: it takes ${setting} with a path`);
  }
  if (!listening) throw wrong(plane, 'does not listen: it takes Accept=no');
  fds.delete(plane);
  return { fd, path, gid: groupOf(plane, path) };
}

function groupOf(plane: PlaneName, path: string): number {
  try {
    return statSync(path).gid;
  } catch (cause) {
    throw wrong(plane, `has lost its file ${path}: restart its socket unit`, cause);
  }
}

function wrong(plane: PlaneName, what: string, cause?: unknown): VkmemError {
  const where = `The socket passed as ${plane} (FileDescriptorName= of its unit)`;
  return new VkmemError('INVALID_ARGUMENT', `${where} ${what}.`, {}, cause);
}
