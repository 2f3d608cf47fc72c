/**
 * Joining and leaving an ivshmem server: a connection becomes a session with a grant of the memory, an id and doorbells.
 *
 * The user of a connection owns the memory, or holds a grant to write to it. The session is of the process that connected, and
 * ends with the connection or with the process, whichever is first; so what a virtual machine was given counts for its
 * user, and drains when it is gone, as any grant does.
 */
import { asVkmemError, type Decoded, type OwnedFd, VkmemError } from '@vkmemd/proto';
import type { GiveBack } from '../limits/shares.js';
import { beginSession, endSession } from '../memory/allocation/draining.js';
import type { Domain } from '../memory/domain.js';
import { grantKinds } from '../memory/grant/grant.js';
import type { IvshmemPeer, IvshmemServer, PeerLink } from '../memory/ivshmem/server.js';
import type { LinkEvents } from '../memory/ivshmem/servers.js';
import { SharedFds } from '../memory/ivshmem/shared-fds.js';
import { type Caller, requireSession } from '../memory/session/caller.js';
import { anotherPidfd, ClientProcess } from '../memory/session/client-process.js';
import type { Session } from '../memory/session/session.js';
import type { Identity } from '../policy/identity.js';
import type { WithFds } from './allocate.js';
import { publishRequest } from './events.js';
import { requireOfferable, serverOf } from './serve-ivshmem.js';

/** Who connects. */
export interface Joiner {
  readonly identity: Identity;
  /** Where the kernel can name it; watched by what is made of the joiner, also where that fails. */
  readonly process: ClientProcess | undefined;
}

/** @throws VkmemError NOT_PERMITTED. */
function requireMayJoin(domain: Domain, { allocation }: IvshmemServer, identity: Identity): void {
  domain.authority.requireConnect(identity);
  domain.authority.requireKinds(identity, ['MAPPABLE']);
  if (domain.authority.may(identity, 'use', allocation.terms)) return;
  const holds = [...allocation.grants].some(
    ({ session, kind, access }) =>
      session.identity.uid === identity.uid && kind === 'MAPPABLE' && access === 'rw',
  );
  if (holds) return;
  const reason = `User ${identity.uid} neither owns allocation ${allocation.id} nor holds a grant to write to it.`;
  throw new VkmemError('NOT_PERMITTED', reason);
}

/**
 * Makes a peer of a connection, and tells everybody.
 * @param socket taken, also where it fails.
 * @throws VkmemError NOT_PERMITTED, PUBLISHED, TOO_MANY_PEERS, TOO_MANY_SESSIONS, TOO_MANY_FILES, QUOTA_EXCEEDED, NOT_FOUND.
 */
export async function join(
  domain: Domain,
  server: IvshmemServer,
  { identity, process }: Joiner,
  socket: OwnedFd,
): Promise<IvshmemPeer> {
  const { allocation, terms, ids } = server;
  const undo: GiveBack[] = [() => socket.close(), () => process?.letGo()];
  let link: PeerLink | undefined;
  try {
    requireMayJoin(domain, server, identity);
    requireOfferable(allocation);
    const id = server.admit(identity.uid);
    undo.push(() => ids.leave(id, false));
    const uncount = domain.fds.lease(identity.uid, 1);
    undo.push(uncount);
    const session = beginSession(domain, identity, `ivshmem of ${allocation.id}`, process);
    undo.push(() => void endSession(domain, session));
    const memory = new SharedFds([await granted(domain, server, session)]);
    undo.push(() => memory.letGo());
    const doorbells = SharedFds.eventFds(terms.vectors, domain.fds.lease(identity.uid, terms.vectors));
    undo.push(() => doorbells.letGo());
    const kept = { id, session, doorbells, joinedAt: Date.now() };
    await domain.persistence.ivshmem.joining(server, kept, socket);
    undo.push(() => domain.persistence.ivshmem.left(server, id));
    requireStillThere(domain, server, session, process);
    const told = events(domain, server, () => peer);
    link = domain.ivshmem.sockets.connect(session, socket, told, true);
    const ends = [process?.watch(() => peer.link.hangUp()), uncount];
    const peer: IvshmemPeer = { ...kept, link, forget: () => ends.map((end) => end?.()) };
    server.join(peer, memory);
    if (link.settled) told.settled(true);
    return peer;
  } catch (failure) {
    // What has a link ends with that.
    if (link) link.hangUp();
    else for (const step of undo.reverse()) step();
    throw failure;
  }
}

/** @throws VkmemError for what has ended while the peer was joining. */
function requireStillThere(
  domain: Domain,
  server: IvshmemServer,
  session: Session,
  process: ClientProcess | undefined,
): void {
  const over = domain.ivshmem.stopped ?? server.ended;
  if (over) throw over;
  if (!session.ended && !process?.exited) return;
  throw new VkmemError('UNAVAILABLE', 'The process that connected is gone.');
}

async function granted(domain: Domain, { allocation }: IvshmemServer, session: Session): Promise<OwnedFd> {
  const caller = { identity: session.identity, session, gone: () => session.ended };
  const { fds } = await grantKinds(domain, caller, allocation, ['MAPPABLE'], 'rw');
  const [fd] = fds;
  if (fd) return fd;
  throw new Error('a MAPPABLE grant has no fd');
}

/** What a link tells of its peer. */
export function events(domain: Domain, server: IvshmemServer, peer: () => IvshmemPeer): LinkEvents {
  return {
    gone: (failure) => {
      const { session } = peer();
      if (failure) {
        const { code } = asVkmemError(failure);
        if (code === 'INTERNAL') domain.events.fault('an ivshmem peer was hung up on', failure);
        publishRequest(domain, 'ivshmem', 'connection', code, { identity: session.identity, session });
      }
      leave(domain, server, peer());
    },
    settled: (now) => domain.persistence.ivshmem.settled(server, peer().id, now),
    read: () => domain.persistence.ivshmem.read(server, peer().id),
  };
}

/** The connection is gone, whoever ended it. */
function leave(domain: Domain, server: IvshmemServer, { id, session, doorbells, forget }: IvshmemPeer): void {
  // Crossed out before it is told: QEMU must not hear of the same end twice.
  domain.persistence.ivshmem.left(server, id);
  if (!server.leave({ id })) return;
  doorbells.letGo();
  forget();
  void endSession(domain, session);
}

/**
 * Joins on behalf of a session, whose process gets the other end of the connection.
 * @throws VkmemError as join(), SESSION_REQUIRED.
 */
export async function joinIvshmem(
  domain: Domain,
  caller: Caller,
  request: Decoded<'JoinIvshmemRequest'>,
): Promise<WithFds<Decoded<'JoinIvshmemResponse'>>> {
  const session = requireSession(caller);
  const { identity } = caller;
  // What was claimed by a ticket, policy alone would not give.
  const held = [...session.grants.values()].find(
    ({ allocation }) => allocation.id === request.allocation?.id,
  );
  const allocation = held?.allocation ?? domain.registry.find(request.allocation, identity, { claim: 'rw' });
  const server = serverOf(domain, allocation);
  const process = sameProcess(domain, session);
  const [ours, theirs] = domain.ivshmem.sockets.pair();
  try {
    const peer = await join(domain, server, { identity, process }, ours);
    return { response: { server: server.describe(), peerId: peer.id }, fds: [theirs] };
  } catch (failure) {
    theirs.close();
    throw failure;
  }
}

/**
 * The process of a session, for another one of it, by a pidfd of its own: whoever keeps fds keeps the same open file once.
 * @throws VkmemError TOO_MANY_FILES.
 */
function sameProcess(domain: Domain, { identity, process }: Session): ClientProcess | undefined {
  using known = process?.pidfd();
  if (!process || !known || process.pid === 0) return undefined;
  const uncount = domain.fds.lease(identity.uid, 1);
  try {
    const pidfd = anotherPidfd(known, process.pid);
    if (pidfd) return new ClientProcess(process.pid, pidfd, uncount);
  } catch (failure) {
    uncount();
    throw failure;
  }
  uncount();
  return undefined;
}
