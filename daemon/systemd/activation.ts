/**
 * Socket activation: the sockets that the service manager listens on in the daemon's place. It continues to
 * listen while no daemon runs, and the next daemon accepts the connections that were made meanwhile.
 *
 * The sockets are identified by the names of the socket units (FileDescriptorName=). A socket that does not
 * match its plane is a fault of its unit: the daemon does not start, and the error names the setting. The
 * manager creates and removes the sockets' files. Members of a file's group may connect, so that group has
 * the rights that the daemon's own group has for sockets that the daemon makes (policy/policy.ts).
 */
import { statSync } from 'node:fs';
import { closeAll, describeSocket, type OwnedFd, VkmemError } from '@vkmemd/proto';
import type { ListenFds } from './listen-fds.js';

/** Planes, by the FileDescriptorName= of their sockets' units. */
export type PlaneName = 'handoff' | 'control' | 'admin';

const SETTINGS = {
  handoff: { type: 'seqpacket', setting: 'ListenSequentialPacket=' },
  control: { type: 'stream', setting: 'ListenStream=' },
  admin: { type: 'stream', setting: 'ListenStream=' },
} as const;

export interface ActivatedSocket {
  /** A listening socket. The plane that serves it owns it. */
  readonly fd: OwnedFd;
  readonly path: string;
  /** The group of the socket's file. */
  readonly gid: number;
}

export class Activation implements Disposable {
  readonly handoff: ActivatedSocket | undefined;
  readonly control: ActivatedSocket | undefined;
  readonly admin: ActivatedSocket | undefined;
  /** Fds of all other names. */
  readonly others: ReadonlyMap<string, readonly OwnedFd[]>;
  readonly #all: readonly OwnedFd[];

  /**
   * @param fds Owned from here on, also on failure.
   * @throws VkmemError INVALID_ARGUMENT where a socket does not match its plane.
   */
  constructor(fds: ListenFds) {
    this.#all = [...fds.values()].flat();
    const others = new Map(fds);
    try {
      this.handoff = activated(others, 'handoff');
      this.control = activated(others, 'control');
      this.admin = activated(others, 'admin');
    } catch (failure) {
      this[Symbol.dispose]();
      throw failure;
    }
    this.others = others;
  }

  /**
   * The groups whose members may connect.
   * @param own The daemon's group, which the sockets have that it makes itself.
   */
  groups(own: number): ReadonlySet<number> {
    return new Set([this.handoff?.gid ?? own, this.control?.gid ?? own]);
  }

  /** Closes the fds that have no other owner yet. */
  [Symbol.dispose](): void {
    closeAll(this.#all);
  }
}

/** Removes the plane's socket from `fds`. */
function activated(fds: ListenFds, plane: PlaneName): ActivatedSocket | undefined {
  const [fd, ...more] = fds.get(plane) ?? [];
  if (!fd) return undefined;
  if (more.length > 0) throw invalid(plane, `is passed ${more.length + 1} times: one Listen line is enough`);
  const { type, setting } = SETTINGS[plane];
  let socket: ReturnType<typeof describeSocket>;
  try {
    socket = describeSocket(fd);
  } catch (failure) {
    if (!(failure instanceof VkmemError)) throw failure;
    throw invalid(plane, `is no socket: it takes ${setting} with a path`, failure);
  }
  const { path, listening } = socket;
  if (!socket.unix || socket.type !== type || path === undefined) {
    throw invalid(plane, `is not a Unix ${type} socket with a path: it takes ${setting} with a path`);
  }
  if (!listening) throw invalid(plane, 'does not listen: it takes Accept=no');
  fds.delete(plane);
  return { fd, path, gid: groupOf(plane, path) };
}

function groupOf(plane: PlaneName, path: string): number {
  try {
    return statSync(path).gid;
  } catch (cause) {
    throw invalid(plane, `has lost its file ${path}: restart its socket unit`, cause);
  }
}

function invalid(plane: PlaneName, what: string, cause?: unknown): VkmemError {
  const which = `The socket passed as ${plane} (FileDescriptorName= of its unit)`;
  return new VkmemError('INVALID_ARGUMENT', `${which} ${what}.`, {}, cause);
}
