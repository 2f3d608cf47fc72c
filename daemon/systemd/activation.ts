/**
 * Socket activation: the sockets that the service manager listens on for the daemon. The manager continues to
 * listen while no daemon runs, and the next daemon accepts the connections that were made meanwhile.
 *
 * The sockets are identified by the FileDescriptorName= of their socket units. If a socket does not match its
 * plane, the unit is wrong: the daemon does not start, and the error names the setting. The manager creates
 * and removes the sockets' files. Members of a file's group can connect, so that group has the rights that
 * the daemon's own group has for sockets that the daemon creates (policy/policy.ts).
 */
import { statSync } from 'node:fs';
import { closeAll, describeSocket, type OwnedFd, VkmemError } from '@vkmemd/proto';
import type { ListenFds } from './listen-fds.js';

/** The planes, by the FileDescriptorName= of their socket units. */
export type PlaneName = 'handoff' | 'control' | 'admin';

const SETTINGS = {
  handoff: { type: 'seqpacket', setting: 'ListenSequentialPacket=' },
  control: { type: 'stream', setting: 'ListenStream=' },
  admin: { type: 'stream', setting: 'ListenStream=' },
} as const;

const FIX = 'Correct its socket unit, then run systemctl daemon-reload, and restart that unit.';

export interface ActivatedSocket {
  /** A listening socket. Ownership passes to the plane that serves it. */
  readonly fd: OwnedFd;
  readonly path: string;
  /** The group of the socket's file. */
  readonly gid: number;
}

export class Activation implements Disposable {
  readonly handoff: ActivatedSocket | undefined;
  readonly control: ActivatedSocket | undefined;
  readonly admin: ActivatedSocket | undefined;
  /** The fds of all other names. */
  readonly others: ReadonlyMap<string, readonly OwnedFd[]>;
  readonly #all: readonly OwnedFd[];

  /**
   * @param fds Taken, also on failure.
   * @throws VkmemError INVALID_ARGUMENT if a socket does not match its plane.
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

  /** Closes the fds that have no other owner yet. */
  [Symbol.dispose](): void {
    closeAll(this.#all);
  }
}

/** Removes the plane's socket from `fds`. */
function activated(fds: ListenFds, plane: PlaneName): ActivatedSocket | undefined {
  const [fd, ...more] = fds.get(plane) ?? [];
  if (!fd) return undefined;
  if (more.length > 0) throw invalid(plane, `was passed ${more.length + 1} times: use one Listen line`);
  const { type, setting } = SETTINGS[plane];
  let socket: ReturnType<typeof describeSocket>;
  try {
    socket = describeSocket(fd);
  } catch (failure) {
    if (!(failure instanceof VkmemError)) throw failure;
    throw invalid(plane, `is not a socket: use ${setting} with a path`, failure);
  }
  const { path, listening } = socket;
  if (!socket.unix || socket.type !== type || path === undefined) {
    throw invalid(plane, `is not a Unix ${type} socket with a path: use ${setting} with a path`);
  }
  if (!listening) throw invalid(plane, 'does not listen: use Accept=no');
  fds.delete(plane);
  return { fd, path, gid: groupOf(plane, path) };
}

function groupOf(plane: PlaneName, path: string): number {
  try {
    return statSync(path).gid;
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') {
      const next = 'Restart its socket unit, which makes the file again.';
      throw invalid(plane, `has no file ${path} any more`, cause, next);
    }
    const next = 'Let the user of vkmemd search the folders of that path.';
    throw invalid(plane, `has the file ${path}, which vkmemd cannot examine (stat: ${code})`, cause, next);
  }
}

function invalid(plane: PlaneName, what: string, cause?: unknown, next = FIX): VkmemError {
  const which = `The socket passed as ${plane} (FileDescriptorName=)`;
  return new VkmemError('INVALID_ARGUMENT', `${which} ${what}.`, {}, cause, next);
}
