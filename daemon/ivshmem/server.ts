/**
 * The ivshmem plane: a Unix stream socket for each allocation that is offered to virtual machines, and the connections to it.
 *
 * Whoever connects is identified by the kernel, joins at once or is hung up on: the protocol has no word for a refusal,
 * which is told to the operator instead. Sockets are files of the runtime folder's `ivshmem`, named by the allocations'
 * ids; anybody can connect, since whom the memory was granted to is what is asked.
 *
 * link   the way to one peer
 */
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join as joinPath } from 'node:path';
import {
  asVkmemError,
  Listener,
  listenAt,
  type OwnedFd,
  type PeerIdentity,
  streamPair,
  tooManyPendingCloses,
  VkmemError,
} from '@vkmemd/proto';
import type { Allocation } from '../memory/allocation/allocation.js';
import type { Domain } from '../memory/domain.js';
import type { IvshmemServer, PeerLink } from '../memory/ivshmem/server.js';
import type { IvshmemSockets, LinkEvents } from '../memory/ivshmem/servers.js';
import { ClientProcess } from '../memory/session/client-process.js';
import type { Session } from '../memory/session/session.js';
import { identityOf } from '../policy/unit.js';
import { publishRequest } from '../requests/events.js';
import { join } from '../requests/join-ivshmem.js';
import { endServer } from '../requests/serve-ivshmem.js';
import { IvshmemLink } from './link.js';

/** Anybody: whom the memory was granted to decides. */
const MODE = 0o666;
const FOLDER_MODE = 0o755;
const SUFFIX = '.sock';

export class IvshmemPlane implements IvshmemSockets {
  readonly #domain: Domain;
  readonly #folder: string;
  readonly #listeners = new Map<IvshmemServer, Listener>();

  /** @param folder of the sockets; made with the first of them. */
  constructor(domain: Domain, folder: string) {
    this.#domain = domain;
    this.#folder = folder;
    domain.ivshmem.sockets = this;
  }

  /** Removes what an earlier daemon left and nobody listens on any more. */
  sweep(): void {
    const kept = new Set(this.#domain.ivshmem.all.map(({ terms }) => terms.path));
    for (const name of existsSync(this.#folder) ? readdirSync(this.#folder) : []) {
      const path = joinPath(this.#folder, name);
      if (name.endsWith(SUFFIX) && !kept.has(path)) rmSync(path, { force: true });
    }
  }

  listen({ id }: Allocation): { readonly path: string; readonly socket: OwnedFd } {
    const path = joinPath(this.#folder, `${id}${SUFFIX}`);
    try {
      mkdirSync(this.#folder, { recursive: true });
      chmodSync(this.#folder, FOLDER_MODE);
      rmSync(path, { force: true });
    } catch (cause) {
      throw new VkmemError(
        'UNAVAILABLE',
        `The folder of sockets cannot be used: ${String(cause)}.`,
        {},
        cause,
      );
    }
    return { path, socket: listenAt({ type: 'stream', path, mode: MODE }) };
  }

  serve(server: IvshmemServer, socket: OwnedFd): void {
    const listener = Listener.adopt(
      socket,
      {
        connection: (fd, peer) => void this.#accept(server, fd, peer),
        error: (cause) => this.#domain.events.fault('an ivshmem socket could not accept', cause),
      },
      true,
    );
    this.#listeners.set(server, listener);
  }

  unserve(server: IvshmemServer): void {
    this.#listeners.get(server)?.close();
    this.#listeners.delete(server);
    rmSync(server.terms.path, { force: true });
  }

  connect(session: Session, socket: OwnedFd, events: LinkEvents, fresh: boolean): PeerLink {
    const { fds, authority } = this.#domain;
    const flight = fds.flight.join(session.identity.uid);
    if (!flight) throw new VkmemError('TOO_MANY_FILES', 'Too many fds are in flight.', { whose: 'daemon' });
    try {
      return new IvshmemLink(socket, flight, events, authority.policy.limits.handshakeMs, fresh);
    } catch (failure) {
      flight.leave();
      throw failure;
    }
  }

  pair(): [OwnedFd, OwnedFd] {
    return streamPair();
  }

  /** Never rejects. */
  async #accept(server: IvshmemServer, socket: OwnedFd, { pidfd, ...ids }: PeerIdentity): Promise<void> {
    let identity: ReturnType<typeof identityOf> | undefined;
    let code: ReturnType<typeof asVkmemError>['code'] | 'OK' = 'OK';
    try {
      identity = identityOf({ pidfd, ...ids }, this.#domain.authority.policy);
      const process = this.#processOf(identity.uid, ids.pid, pidfd);
      await join(this.#domain, server, { identity, process }, socket);
    } catch (failure) {
      socket.close();
      pidfd?.close();
      const error = asVkmemError(failure);
      code = error.code;
      if (code === 'INTERNAL') this.#domain.events.fault('an ivshmem peer could not join', failure);
    }
    publishRequest(this.#domain, 'ivshmem', 'join', code, identity && { identity });
  }

  /** Takes the pidfd. @throws VkmemError TOO_MANY_FILES. */
  #processOf(uid: number, pid: number, pidfd: OwnedFd | undefined): ClientProcess | undefined {
    if (tooManyPendingCloses(uid)) {
      throw new VkmemError('TOO_MANY_FILES', 'Too many files that the user sent cannot be closed.', {
        whose: 'user',
      });
    }
    return pidfd && new ClientProcess(pid, pidfd, this.#domain.fds.lease(uid, 1));
  }

  /** Peers that are connected. */
  get connections(): number {
    return this.#domain.ivshmem.all.reduce((sum, { peers }) => sum + peers.length, 0);
  }

  /** Accepts nobody any more. What outlives the daemon goes on in the next one; all else ends. */
  close(): void {
    const { ivshmem, persistence } = this.#domain;
    // Who is joining meanwhile is told nothing, and nobody is told of it.
    ivshmem.stop(new VkmemError('UNAVAILABLE', 'The daemon is stopping.'));
    for (const server of ivshmem.all) {
      if (!persistence.keeps) endServer(this.#domain, server);
      for (const { link } of server.peers) link.leave();
    }
    for (const listener of this.#listeners.values()) listener.close();
    this.#listeners.clear();
  }
}
