/**
 * Restoring what virtual machines are connected by: sockets listen again where they did, and connections go on where they were,
 * with the same ids and doorbells. A machine notices nothing.
 *
 * Hung up on is who was not told all when the daemon ended, and whose session did not outlive it; the others are told.
 */
import { closeAll, FdStream, type OwnedFd } from '@vkmemd/proto';
import type { Allocation } from '../memory/allocation.js';
import type { Domain } from '../memory/domain.js';
import { Doorbells } from '../memory/doorbells.js';
import { events } from '../memory/ivshmem-join.js';
import { type IvshmemPeer, IvshmemServer } from '../memory/ivshmem-server.js';
import { endSession } from '../memory/lifetime.js';
import type { HandedFds } from './handed-fds.js';
import type { KeptIvshmem } from './kept-ivshmem.js';
import type { LedgerFile } from './ledger-file.js';
import type { PeerRecord, ServerRecord } from './records.js';
import type { RestoredSessions } from './restored-sessions.js';

/** What is there of earlier starts. */
interface Found {
  readonly ledger: LedgerFile;
  readonly keeping: KeptIvshmem;
  readonly handed: HandedFds;
  readonly sessions: RestoredSessions;
  readonly allocations: ReadonlyMap<string, Allocation>;
}

/** In one turn of the event loop: nobody joins in between. */
export function restoreIvshmem(domain: Domain, found: Found): void {
  const peers = found.ledger.peers.all;
  for (const record of found.ledger.servers.all) {
    const own = peers.filter(({ allocation }) => allocation === record.allocation);
    restoreServer(domain, found, record, own);
  }
}

function restoreServer(
  domain: Domain,
  found: Found,
  record: ServerRecord,
  peers: readonly PeerRecord[],
): void {
  const { handed, keeping, allocations } = found;
  const allocation = allocations.get(record.allocation);
  const uid = allocation?.terms.ownerUid ?? 0;
  keeping.adopt(record, uid);
  for (const peer of peers) keeping.adoptPeer(peer, found.sessions.byId(peer.session)?.identity.uid ?? uid);
  const [socket, ...more] = handed.take(record.name);
  closeAll(more);
  if (!socket || allocation?.state !== 'LIVE') {
    socket?.close();
    keeping.forget(record);
    for (const peer of peers) drop(domain, found, peer, takeAll(found, peer));
    return;
  }
  const server = new IvshmemServer(allocation, record.terms, domain.fds.count(uid, 1));
  const missing = peers.filter((peer) => !restorePeer(domain, found, server, peer));
  server.ids.restored(record.nextId);
  domain.ivshmem.restore(server);
  domain.ivshmem.sockets.serve(server, socket);
  for (const { id } of missing) server.tellOfLeave(id);
}

/** Whether it is there. */
function restorePeer(domain: Domain, found: Found, server: IvshmemServer, record: PeerRecord): boolean {
  const { id, joinedAt } = record;
  const { vectors } = server.terms;
  const session = found.sessions.byId(record.session);
  const fds = takeAll(found, record);
  const [socket, ...doorbells] = fds;
  if (!socket || !session || session.ended || !record.settled || doorbells.length !== vectors) {
    const why = !session
      ? 'its session did not'
      : !record.settled
        ? 'it was not told all'
        : 'fds are missing';
    domain.events.note(`ivshmem peer ${id} of ${record.allocation} did not outlive the daemon: ${why}`);
    drop(domain, found, record, fds);
    return false;
  }
  const { uid } = session.identity;
  server.ids.restore(id);
  const told = events(domain, server, () => peer);
  const link = domain.ivshmem.sockets.connect(session, socket, told, false);
  const ends = [session.process?.watch(() => link.hangUp()), domain.fds.count(uid, 1)];
  const peer: IvshmemPeer = {
    id,
    session,
    doorbells: new Doorbells(doorbells, domain.fds.count(uid, vectors)),
    link,
    forget: () => {
      for (const end of ends) end?.();
    },
    joinedAt,
  };
  server.restore(peer);
  return true;
}

/** Its socket and its doorbells, as far as they are there. */
function takeAll({ handed }: Found, { names }: PeerRecord): OwnedFd[] {
  return names.flatMap((name) => handed.take(name).slice(0, 1));
}

/** Hangs up on a peer that cannot go on. @param fds taken; the first may be its socket. */
function drop(domain: Domain, found: Found, record: PeerRecord, fds: readonly OwnedFd[]): void {
  found.keeping.forgetPeer(record);
  const session = found.sessions.byId(record.session);
  if (session && !session.ended) void endSession(domain, session);
  const [socket, ...doorbells] = fds;
  closeAll(doorbells);
  if (!socket) return;
  try {
    // Whoever keeps another copy of it does not keep the peer waiting.
    new FdStream(socket, { data() {}, close() {} }, { maxBytes: 0, untrusted: true }).close();
  } catch (failure) {
    domain.events.fault('a connection of before could not be ended', failure);
  }
}
