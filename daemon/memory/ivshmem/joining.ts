/**
 * Joining and leaving an ivshmem server: a connection becomes a session with a grant of the memory, an id and
 * doorbells.
 *
 * The user of a connection owns the memory, or holds a grant to write to it. The session is of the process
 * that connected, and ends with the connection or with the process, whichever is first; so what a virtual
 * machine was given counts for its user, and drains when it is gone, as any grant does.
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
import type { SessionLifecycle } from '../session/lifecycle.js';
import type { Session } from '../session/session.js';
import { requireOfferable } from './offer.js';
import type { IvshmemPeer, IvshmemServer, PeerLink } from './server.js';
import type { IvshmemServers, LinkEvents } from './servers.js';
import { SharedFds } from './shared-fds.js';

/** Who connects. */
export interface Joiner {
  readonly identity: Identity;
  /** Where the kernel can name it; watched by what is made of the joiner, also where that fails. */
  readonly process: ClientProcess | undefined;
}

/** Reports a connection that joined, was refused, or ended by a fault. */
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
  /** Who the policy says that a peer is. */
  readonly identityOf: (peer: PeerIdentity) => Identity;
  readonly onOutcome: OnOutcome;
}

export class IvshmemJoining {
  readonly #with: Collaborators;

  constructor(collaborators: Collaborators) {
    this.#with = collaborators;
  }

  /**
   * Serves a connection to a server's socket: the peer joins, or is hung up on. Takes the socket and the
   * pidfd.
   */
  readonly accept = async (server: IvshmemServer, socket: OwnedFd, peer: PeerIdentity): Promise<void> => {
    const { identityOf, reporter, onOutcome } = this.#with;
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
   * Makes a peer of a connection, and announces it to all others.
   * @param socket taken, also where it fails.
   * @throws VkmemError NOT_PERMITTED, PUBLISHED, TOO_MANY_PEERS, TOO_MANY_SESSIONS, TOO_MANY_FILES,
   *   QUOTA_EXCEEDED, NOT_FOUND.
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
    // From here on the end of the link ends all that the peer holds.
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

  /** What a link reports, for its peer. */
  linkEvents(server: IvshmemServer, peer: () => IvshmemPeer | undefined): LinkEvents {
    const { persistence, reporter, onOutcome } = this.#with;
    return {
      gone: (failure) => {
        const gone = peer();
        if (!gone) return;
        const { session } = gone;
        if (failure) {
          const { code } = asVkmemError(failure);
          if (code === 'INTERNAL') reporter.fault('an ivshmem peer was hung up on', failure);
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
    // Persisted before it is announced: QEMU must not get the same leave twice.
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
    const granted = grants
      .ofAllocation(allocation)
      .some(
        ({ session, kind, access }) =>
          sameTenant(session.identity.tenant, identity.tenant) && kind === 'MAPPABLE' && access === 'rw',
      );
    if (granted) return;
    const reason = `User ${identity.uid} neither owns allocation ${allocation.id} nor holds a grant to write to it.`;
    throw new VkmemError('NOT_PERMITTED', reason);
  }

  /** @throws VkmemError for what has ended while the peer was joining. */
  #requireStillThere(server: IvshmemServer, session: Session, process: ClientProcess | undefined): void {
    const over = this.#with.servers.stopped ?? server.ended;
    if (over) throw over;
    if (!session.ended && !process?.exited) return;
    throw new VkmemError('UNAVAILABLE', 'The process that connected is gone.');
  }

  async #granted({ allocation }: IvshmemServer, session: Session): Promise<OwnedFd> {
    const caller = { identity: session.identity, session, gone: () => session.ended };
    const { fds } = await this.#with.grants.issue(caller, allocation, ['MAPPABLE'], 'rw');
    const [fd] = fds;
    if (fd) return fd;
    throw new Error('a MAPPABLE grant has no fd');
  }

  /** Takes the pidfd. @throws VkmemError TOO_MANY_FILES. */
  #processOf({ uid, pid, tenant }: Identity, pidfd: OwnedFd | undefined): ClientProcess | undefined {
    if (tooManyPendingCloses(uid)) {
      const reason = 'Too many files that the user sent cannot be closed.';
      throw new VkmemError('TOO_MANY_FILES', reason, { whose: 'user' });
    }
    return pidfd && new ClientProcess(pid, pidfd, this.#with.fds.lease(tenant, 1));
  }
}
