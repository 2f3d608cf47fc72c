/**
 * Joining and leaving an ivshmem server: a connection becomes a session with a grant of the memory, a peer id
 * and doorbells.
 *
 * The user of a connection must own the memory, or hold a grant to write to it. The session belongs to the
 * process that connected, and ends with the connection or with the process, whichever ends first. So the
 * memory given to a virtual machine counts for its tenant, and drains when the virtual machine is gone, as
 * any grant does.
 */
import {
  asVkmemError,
  DisposableStack,
  type ErrorCode,
  NOTHING_HELD,
  type OwnedFd,
  type PeerIdentity,
  tooManyPendingCloses,
  VkmemError,
} from '@vkmemd/proto';
import type { FdBudget } from '../../limits/fd-budget.js';
import type { Identity } from '../../policy/identity.js';
import { sameTenant } from '../../policy/tenant.js';
import type { Authority } from '../authority.js';
import type { Grants } from '../grant/grants.js';
import type { Persistence } from '../persistence.js';
import type { Reporter } from '../reporter.js';
import { ClientProcess } from '../session/client-process.js';
import type { IdentifiedProcesses } from '../session/identified-processes.js';
import type { SessionLifecycle } from '../session/lifecycle.js';
import type { Session } from '../session/session.js';
import { requireOfferable } from './offer.js';
import type { IvshmemPeer, IvshmemServer, PeerLink } from './server.js';
import type { IvshmemServers, LinkEvents } from './servers.js';
import { SharedFds } from './shared-fds.js';

/** The process that connects. */
export interface Joiner {
  readonly identity: Identity;
  /**
   * Undefined if the kernel cannot identify the process. It is closed by what is made of the joiner, also on
   * failure.
   */
  readonly process: ClientProcess | undefined;
}

/** Reports a connection that joined, was refused, or ended with an error. */
export type OnOutcome = (
  what: 'join' | 'connection',
  code: ErrorCode | 'OK',
  asker: { readonly identity: Identity; readonly session?: Session } | undefined,
) => void;

interface Collaborators {
  readonly servers: IvshmemServers;
  readonly authority: Authority;
  readonly fds: FdBudget;
  readonly grants: Grants;
  readonly lifecycle: SessionLifecycle;
  readonly persistence: Persistence;
  readonly reporter: Reporter;
  /** The identity of a peer, by the policy in force. */
  readonly identityOf: (peer: PeerIdentity) => Identity;
  readonly identifiedProcesses: IdentifiedProcesses;
  readonly onOutcome: OnOutcome;
}

export class IvshmemJoining {
  readonly #with: Collaborators;

  constructor(collaborators: Collaborators) {
    this.#with = collaborators;
  }

  /**
   * Serves a connection to a server's socket: the peer joins, or the connection is closed. Takes ownership of
   * the socket and the pidfd. Never rejects.
   */
  readonly accept = async (
    server: IvshmemServer,
    socket: OwnedFd,
    connected: PeerIdentity,
  ): Promise<void> => {
    const { identityOf, identifiedProcesses, reporter, onOutcome } = this.#with;
    const peer = identifiedProcesses.complete(connected);
    const { pidfd } = peer;
    let identity: Identity | undefined;
    let code: ErrorCode | 'OK' = 'OK';
    try {
      identity = identityOf(peer);
      const process = this.#processOf(identity, pidfd);
      await this.join(server, { identity, process }, socket);
    } catch (failure) {
      socket.close();
      pidfd?.close();
      code = asVkmemError(failure).code;
      if (code === 'INTERNAL') reporter.fault('an ivshmem peer could not join', failure);
    }
    onOutcome('join', code, identity && { identity });
  };

  /**
   * Makes a peer of a connection, and announces it to all other peers.
   * @param socket ownership is taken, also on failure.
   * @throws VkmemError NOT_PERMITTED, PUBLISHED, TOO_MANY_PEERS, TOO_MANY_SESSIONS, TOO_MANY_FILES,
   *   QUOTA_EXCEEDED, RATE_LIMITED, NOT_FOUND, UNAVAILABLE.
   */
  async join(server: IvshmemServer, { identity, process }: Joiner, socket: OwnedFd): Promise<IvshmemPeer> {
    const { servers, fds, lifecycle, persistence } = this.#with;
    const { allocation, terms, ids } = server;
    using undo = new DisposableStack();
    undo.defer(() => process?.closeUnwatched());
    undo.use(socket);
    this.#requireMayJoin(server, identity);
    requireOfferable(allocation);
    const id = server.admit(identity.tenant);
    undo.defer(() => ids.release(id, false));
    const file = undo.use(fds.lease(identity.tenant, 1));
    const session = lifecycle.begin(identity, `ivshmem of ${allocation.id}`, process);
    undo.defer(() => void lifecycle.end(session));
    const memory = undo.use(new SharedFds([await this.#granted(server, session)]));
    const doorbells = undo.use(SharedFds.eventFds(terms.vectors, fds.lease(identity.tenant, terms.vectors)));
    const joining = { id, session, doorbells, joinedAt: Date.now() };
    await persistence.ivshmem.joining(server, joining, socket);
    undo.defer(() => persistence.ivshmem.left(server, id));
    this.#requireStillThere(server, session, process);
    let peer: IvshmemPeer | undefined;
    const events = this.linkEvents(server, () => peer);
    const link: PeerLink = servers.sockets.connect(session, socket, events, true);
    // From here on everything that the peer holds is released when the link ends.
    undo.move();
    const held = new DisposableStack();
    held.use(file);
    peer = { ...joining, link, held };
    try {
      held.use(process?.watch(() => link.hangUp()) ?? NOTHING_HELD);
      server.join(peer, memory);
    } catch (failure) {
      link.hangUp();
      throw failure;
    }
    if (link.settled) events.settled(true);
    return peer;
  }

  /** The handlers of a link's events, for its peer. */
  linkEvents(server: IvshmemServer, peer: () => IvshmemPeer | undefined): LinkEvents {
    const { persistence, reporter, onOutcome } = this.#with;
    return {
      gone: (failure) => {
        const gone = peer();
        if (!gone) return;
        const { session } = gone;
        if (failure) {
          const { code } = asVkmemError(failure);
          if (code === 'INTERNAL') reporter.fault('the connection of an ivshmem peer failed', failure);
          onOutcome('connection', code, { identity: session.identity, session });
        }
        this.#left(server, gone);
      },
      settled: (now) => {
        const of = peer();
        if (of) persistence.ivshmem.settled(server, of.id, now);
      },
      read: () => {
        const of = peer();
        if (of) persistence.ivshmem.read(server, of.id);
      },
    };
  }

  /** The connection was closed, by either side. */
  #left(server: IvshmemServer, { id, session, doorbells, held }: IvshmemPeer): void {
    const { persistence, lifecycle } = this.#with;
    // Persisted before it is announced, because QEMU must not receive the same leave twice.
    persistence.ivshmem.left(server, id);
    if (!server.removePeer({ id })) return;
    doorbells[Symbol.dispose]();
    held[Symbol.dispose]();
    void lifecycle.end(session);
  }

  /** @throws VkmemError NOT_PERMITTED. */
  #requireMayJoin({ allocation }: IvshmemServer, identity: Identity): void {
    const { authority, grants } = this.#with;
    authority.requireConnect(identity);
    authority.requireKinds(identity, ['MAPPABLE']);
    if (authority.may(identity, 'use', allocation.terms)) return;
    const granted = [...grants.holdersOf(allocation)].some(
      ({ session, writable }) => writable > 0 && sameTenant(session.identity.tenant, identity.tenant),
    );
    if (granted) return;
    const reason = `User ${identity.uid} neither owns allocation ${allocation.id} nor has write access to it.`;
    throw new VkmemError('NOT_PERMITTED', reason);
  }

  /**
   * @throws VkmemError NOT_FOUND, UNAVAILABLE if the server, the session or the process ended during the
   *   join.
   */
  #requireStillThere(server: IvshmemServer, session: Session, process: ClientProcess | undefined): void {
    const over = this.#with.servers.stopped ?? server.ended;
    if (over) throw over;
    if (!session.ended && !process?.exited) return;
    throw new VkmemError('UNAVAILABLE', 'The process that connected has exited.');
  }

  async #granted({ allocation }: IvshmemServer, session: Session): Promise<OwnedFd> {
    const caller = { identity: session.identity, session, gone: () => session.ended };
    const { fds } = await this.#with.grants.issue(caller, allocation, ['MAPPABLE'], 'rw');
    const [fd] = fds;
    if (fd) return fd;
    throw new Error('a MAPPABLE grant has no fd');
  }

  /** Takes ownership of the pidfd. @throws VkmemError TOO_MANY_FILES. */
  #processOf(identity: Identity, pidfd: OwnedFd | undefined): ClientProcess | undefined {
    if (tooManyPendingCloses(identity.uid)) {
      const reason = 'Too many fds that the user sent are still waiting to be closed.';
      throw new VkmemError('TOO_MANY_FILES', reason, { whose: 'user' });
    }
    return pidfd && new ClientProcess(identity, pidfd, this.#with.fds.lease(identity.tenant, 1));
  }
}
