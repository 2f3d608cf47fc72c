/**
 * The ivshmem plane: a Unix stream socket for each allocation that is offered to virtual machines, and the
 * connections to it.
 *
 * A peer is identified by the kernel. It joins at once, or its connection is closed: the protocol has no
 * message for a refusal, so the refusal is reported to the operator. The sockets are files in the folder
 * `ivshmem` of the runtime folder, named by the allocations' ids. Any process can connect; the grants of the
 * memory decide which peers join (memory/ivshmem/joining.ts).
 *
 * link.ts has the link to one peer.
 */
import { chmodSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  Listener,
  listenAt,
  type OwnedFd,
  refusalOf,
  streamPair,
  systemFault,
  VkmemError,
} from '@vkmemd/proto';
import { type FdBudget, joinInFlight } from '../limits/fd-budget.js';
import type { Allocation } from '../memory/allocation/allocation.js';
import type { Authority } from '../memory/authority.js';
import type { IvshmemServer, PeerLink } from '../memory/ivshmem/server.js';
import type { IvshmemSockets, LinkEvents, OnConnection } from '../memory/ivshmem/servers.js';
import type { Reporter } from '../memory/reporter.js';
import type { Session } from '../memory/session/session.js';
import { removeIfStale, removeStaleSocket, SocketFile } from '../socket-file.js';
import { IvshmemLink } from './link.js';

/** Any user may connect: the grants of the memory decide which peers join. */
const MODE = 0o666;
const FOLDER_MODE = 0o755;
const SUFFIX = '.sock';

interface Collaborators {
  readonly fds: FdBudget;
  readonly authority: Authority;
  readonly reporter: Reporter;
}

export class IvshmemPlane implements IvshmemSockets, Disposable {
  readonly #with: Collaborators;
  readonly #folder: string;
  readonly #listeners = new Map<IvshmemServer, { listener: Listener; file: SocketFile }>();

  /** @param folder of the sockets; created with the first socket. */
  constructor(collaborators: Collaborators, folder: string) {
    this.#with = collaborators;
    this.#folder = folder;
  }

  /** Removes the socket files that an earlier daemon left and that none of these servers uses. */
  sweep(servers: readonly IvshmemServer[]): void {
    const known = new Set(servers.map(({ terms }) => terms.path));
    for (const name of existsSync(this.#folder) ? readdirSync(this.#folder) : []) {
      const path = join(this.#folder, name);
      if (name.endsWith(SUFFIX) && !known.has(path)) removeIfStale(path);
    }
  }

  listen({ id }: Allocation): { readonly path: string; readonly socket: OwnedFd } {
    const path = join(this.#folder, `${id}${SUFFIX}`);
    let what = 'The folder of the ivshmem sockets cannot be used';
    try {
      mkdirSync(this.#folder, { recursive: true });
      chmodSync(this.#folder, FOLDER_MODE);
      removeStaleSocket(path);
      what = 'The ivshmem socket cannot be created';
      return { path, socket: listenAt({ type: 'stream', path, mode: MODE }) };
    } catch (cause) {
      if (cause instanceof VkmemError) throw cause;
      const { reason, next } = systemFault(cause) ?? { reason: `${String(cause)}.`, next: undefined };
      throw new VkmemError('UNAVAILABLE', `${what}: ${reason}`, {}, cause, refusalOf(cause) ?? next);
    }
  }

  serve(server: IvshmemServer, socket: OwnedFd, onConnection: OnConnection): void {
    const listener = Listener.adopt(
      socket,
      {
        connection: (fd, peer) => onConnection(server, fd, peer),
        error: (cause) => this.#with.reporter.fault('an ivshmem socket could not accept', cause),
      },
      { untrusted: true, arrivals: this.#with.fds.newcomers },
    );
    this.#listeners.set(server, { listener, file: new SocketFile(server.terms.path) });
  }

  unserve(server: IvshmemServer): void {
    const serving = this.#listeners.get(server);
    serving?.listener.close();
    serving?.file[Symbol.dispose]();
    this.#listeners.delete(server);
  }

  connect(session: Session, socket: OwnedFd, events: LinkEvents, fresh: boolean): PeerLink {
    const { fds, authority } = this.#with;
    const inFlight = joinInFlight(fds, session.identity.tenant);
    try {
      return new IvshmemLink(socket, inFlight, events, authority.policy.limits.handshakeMs, fresh);
    } catch (failure) {
      inFlight[Symbol.dispose]();
      throw failure;
    }
  }

  pair(): [OwnedFd, OwnedFd] {
    return streamPair();
  }

  /** Stops accepting connections. */
  [Symbol.dispose](): void {
    for (const { listener } of this.#listeners.values()) listener.close();
    this.#listeners.clear();
  }
}
