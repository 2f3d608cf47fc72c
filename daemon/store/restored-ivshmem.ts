/**
 * Restores ivshmem servers and their peers: sockets listen at the same paths, and connections continue with
 * the same ids and doorbells. The restart is not visible to virtual machines.
 *
 * The connection of a peer that was not settled when the daemon ended, or whose session did not outlive the
 * daemon, is closed, and its leave is announced to the other peers.
 */
import { closeAll, DisposableStack, FdStream, fileStatus, NOTHING_HELD, type OwnedFd } from '@vkmemd/proto';
import type { FdBudget } from '../limits/fd-budget.js';
import type { Allocation } from '../memory/allocation/allocation.js';
import type { IvshmemJoining } from '../memory/ivshmem/joining.js';
import { type IvshmemPeer, IvshmemServer, type PeerLink } from '../memory/ivshmem/server.js';
import type { IvshmemServers } from '../memory/ivshmem/servers.js';
import { SharedFds } from '../memory/ivshmem/shared-fds.js';
import type { Reporter } from '../memory/reporter.js';
import type { SessionLifecycle } from '../memory/session/lifecycle.js';
import type { AsideRecords } from './aside-records.js';
import type { InheritedFds } from './inherited-fds.js';
import type { IvshmemWriter } from './ivshmem-writer.js';
import type { LedgerFile } from './ledger-file.js';
import type { PeerRecord, ServerRecord } from './records.js';
import type { RestoredSessions } from './restored-sessions.js';

/** The file type of a socket in st_mode. */
const S_IFSOCK = 0o140000n;

/** The parts of the core that servers and peers are restored into. */
export interface IvshmemTargets {
  readonly ivshmem: IvshmemServers;
  readonly joining: IvshmemJoining;
  readonly fds: FdBudget;
  readonly lifecycle: SessionLifecycle;
  readonly reporter: Reporter;
}

/** The state of the previous daemon. */
interface Found {
  readonly ledger: LedgerFile;
  readonly writer: IvshmemWriter;
  readonly inherited: InheritedFds;
  readonly sessions: RestoredSessions;
  readonly allocations: ReadonlyMap<string, Allocation>;
  readonly aside: AsideRecords;
}

/** Restores all servers and peers in one turn of the event loop, so that no peer joins in between. */
export function restoreIvshmem(targets: IvshmemTargets, found: Found): void {
  const { writer, ledger, sessions, aside } = found;
  const servers = ledger.servers.read((one) => aside.add(one));
  const peers = ledger.peers.read((one) => aside.add(one));
  for (const { names, session } of peers) writer.adopt(names, sessions.byId(session)?.identity.tenant);
  const ofServer = new Map<string, PeerRecord[]>();
  for (const peer of peers) {
    const own = ofServer.get(peer.server);
    if (own) own.push(peer);
    else ofServer.set(peer.server, [peer]);
  }
  for (const record of servers) {
    const own = ofServer.get(record.name) ?? [];
    if (aside.has('allocations', record.allocation)) {
      for (const each of [record, ...own]) aside.keep(each);
      continue;
    }
    aside.guard({ table: 'servers', id: record.name, value: record }, () =>
      restoreServer(targets, found, record, own),
    );
  }
  const known = new Set(servers.map(({ name }) => name));
  for (const peer of peers) {
    if (aside.has('servers', peer.server)) aside.keep(peer);
    else if (!known.has(peer.server)) dropPeer(targets, found, peer, removeFds(found, peer));
  }
}

function restoreServer(
  targets: IvshmemTargets,
  found: Found,
  record: ServerRecord,
  peers: readonly PeerRecord[],
): void {
  const { inherited, writer, allocations } = found;
  const allocation = allocations.get(record.allocation);
  if (allocation && targets.ivshmem.of(allocation)) {
    throw new Error(`allocation ${allocation.id} has another ivshmem server`);
  }
  writer.adopt([record.name], allocation?.terms.tenant);
  const [socket, ...more] = inherited.remove(record.name);
  closeAll(more);
  if (!socket || allocation?.state !== 'LIVE') {
    socket?.close();
    writer.removeServer(record);
    for (const peer of peers) dropPeer(targets, found, peer, removeFds(found, peer));
    return;
  }
  const server = new IvshmemServer(allocation, record.terms, targets.fds.count(allocation.terms.tenant, 1));
  writer.restored(server, record);
  const missing = peers.filter((peer) => !restorePeer(targets, found, server, peer));
  server.ids.restored(record.nextId);
  targets.ivshmem.restore(server, socket, targets.joining.accept);
  for (const { id } of missing) server.announceLeave(id);
}

/** @returns whether the peer continues. */
function restorePeer(
  targets: IvshmemTargets,
  found: Found,
  server: IvshmemServer,
  record: PeerRecord,
): boolean {
  const { id, joinedAt } = record;
  const { vectors } = server.terms;
  const session = found.sessions.byId(record.session);
  const fds = removeFds(found, record);
  const [socket, ...doorbells] = fds;
  const giveUp = (why: string) => {
    targets.reporter.note(`ivshmem peer ${id} of ${server.allocation.id} was not restored: ${why}`);
    dropPeer(targets, found, record, fds);
    return false;
  };
  if (!session || session.ended || session.process?.exited) return giveUp('its session has ended');
  if (!record.settled) return giveUp('not all messages for it were sent');
  if (!socket || doorbells.length !== vectors) return giveUp('stored fds are missing');
  const { tenant } = session.identity;
  let peer: IvshmemPeer | undefined;
  const events = targets.joining.linkEvents(server, () => peer);
  let link: PeerLink;
  try {
    link = targets.ivshmem.sockets.connect(session, socket, events, !record.read);
  } catch (failure) {
    return giveUp(String(failure));
  }
  server.ids.restore(id);
  const held = new DisposableStack();
  held.use(session.process?.watch(() => link.hangUp()) ?? NOTHING_HELD);
  held.use(targets.fds.count(tenant, 1));
  const shared = new SharedFds(doorbells, targets.fds.count(tenant, vectors));
  peer = { id, session, doorbells: shared, link, held, joinedAt };
  server.restore(peer);
  return true;
}

/** Removes the peer's socket and doorbells from the inherited fds; those that are missing are omitted. */
function removeFds({ inherited }: Found, { names }: PeerRecord): OwnedFd[] {
  return names.flatMap((name) => inherited.remove(name).slice(0, 1));
}

/**
 * Closes sockets and doorbells of peers. Sockets are shut down, so that the connection also ends for
 * processes with other copies of the fd. Fds that a peer has sent are not closed here, because that may
 * block.
 */
export function closePeerFds(fds: readonly OwnedFd[]): void {
  for (const fd of fds.filter(({ open }) => open)) {
    if (fileStatus(fd).type !== S_IFSOCK) fd.close();
    else new FdStream(fd, { data() {}, close() {} }, { maxBytes: 0, untrusted: true }).close();
  }
}

/**
 * Closes the connection of a peer that cannot continue.
 * @param fds Taken and closed; the first may be its socket.
 */
function dropPeer(targets: IvshmemTargets, found: Found, record: PeerRecord, fds: readonly OwnedFd[]): void {
  found.writer.removePeer(record);
  const session = found.sessions.byId(record.session);
  if (session) void targets.lifecycle.end(session);
  closePeerFds(fds);
}
