/**
 * Restoring what virtual machines are connected by: sockets listen again where they did, and connections go on where they were,
 * with the same ids and doorbells. A machine notices nothing.
 *
 * Hung up on is who was not told all when the daemon ended, and whose session did not outlive it; the others are told.
 */
import { closeAll, FdStream, fileStatus, type OwnedFd } from '@vkmemd/proto';
import type { Allocation } from '../memory/allocation/allocation.js';
import { endSession } from '../memory/allocation/draining.js';
import type { Domain } from '../memory/domain.js';
import { type IvshmemPeer, IvshmemServer, type PeerLink } from '../memory/ivshmem/server.js';
import { SharedFds } from '../memory/ivshmem/shared-fds.js';
import { events } from '../requests/join-ivshmem.js';
import type { InheritedFds } from './inherited-fds.js';
import type { KeptIvshmem } from './kept-ivshmem.js';
import type { LedgerFile } from './ledger-file.js';
import type { PeerRecord, ServerRecord } from './records.js';
import type { RestoredSessions } from './restored-sessions.js';

/** The file type's bits of a socket. */
const S_IFSOCK = 0o140000n;

/** What is there of earlier starts. */
interface Found {
  readonly ledger: LedgerFile;
  readonly keeping: KeptIvshmem;
  readonly handed: InheritedFds;
  readonly sessions: RestoredSessions;
  readonly allocations: ReadonlyMap<string, Allocation>;
}

/** In one turn of the event loop: nobody joins in between. */
export function restoreIvshmem(domain: Domain, found: Found): void {
  const { keeping, ledger, sessions } = found;
  const [servers, peers] = [ledger.servers.all, ledger.peers.all];
  for (const { names, session } of peers) keeping.adopt(names, sessions.byId(session)?.identity.uid ?? 0);
  for (const record of servers) {
    const own = peers.filter(({ server }) => server === record.name);
    restoreServer(domain, found, record, own);
  }
  const known = new Set(servers.map(({ name }) => name));
  for (const peer of peers) if (!known.has(peer.server)) drop(domain, found, peer, takeAll(found, peer));
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
  keeping.adopt([record.name], uid);
  const [socket, ...more] = handed.take(record.name);
  closeAll(more);
  if (!socket || allocation?.state !== 'LIVE') {
    socket?.close();
    keeping.forget(record);
    for (const peer of peers) drop(domain, found, peer, takeAll(found, peer));
    return;
  }
  const server = new IvshmemServer(allocation, record.terms, domain.fds.count(uid, 1));
  keeping.restored(server, record);
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
  const giveUp = (why: string) => {
    domain.events.note(`ivshmem peer ${id} of ${server.allocation.id} did not outlive the daemon: ${why}`);
    drop(domain, found, record, fds);
    return false;
  };
  if (!session || session.ended || session.process?.exited) return giveUp('its session did not');
  if (!record.settled) return giveUp('it was not told all');
  if (!socket || doorbells.length !== vectors) return giveUp('fds are missing');
  const { uid } = session.identity;
  const told = events(domain, server, () => peer);
  let link: PeerLink;
  try {
    link = domain.ivshmem.sockets.connect(session, socket, told, !record.read);
  } catch (failure) {
    return giveUp(String(failure));
  }
  server.ids.restore(id);
  const ends = [session.process?.watch(() => link.hangUp()), domain.fds.count(uid, 1)];
  const peer: IvshmemPeer = {
    id,
    session,
    doorbells: new SharedFds(doorbells, domain.fds.count(uid, vectors)),
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

/**
 * Closes sockets and doorbells of peers, hanging up on the former, whoever keeps another copy. What a peer sent on one is not closed here,
 * since that may block.
 */
export function hangUpAll(fds: readonly OwnedFd[]): void {
  for (const fd of fds.filter(({ open }) => open)) {
    if (fileStatus(fd).type !== S_IFSOCK) fd.close();
    else new FdStream(fd, { data() {}, close() {} }, { maxBytes: 0, untrusted: true }).close();
  }
}

/** Hangs up on a peer that cannot go on. @param fds taken; the first may be its socket. */
function drop(domain: Domain, found: Found, record: PeerRecord, fds: readonly OwnedFd[]): void {
  found.keeping.forgetPeer(record);
  const session = found.sessions.byId(record.session);
  if (session) void endSession(domain, session);
  hangUpAll(fds);
}
