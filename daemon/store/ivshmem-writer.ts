/**
 * Persists ivshmem servers and their peers: the listening sockets, the connections and the doorbells of every
 * peer, so that a restart of the daemon is not visible to virtual machines.
 *
 * A peer's record is written before the peer is announced, with `settled` false. `settled` becomes true when
 * all messages for the peer are in its socket. The next start closes the connection of a peer that was not
 * settled, because it cannot determine which messages are missing. The record of a peer that leaves is
 * removed before the leave is announced: after a kill between the two, the other peers never receive the
 * announcement, which is better than receiving it twice (memory/ivshmem/peer-ids.ts).
 */
import { type OwnedFd, VkmemError } from '@vkmemd/proto';
import type { IvshmemServer } from '../memory/ivshmem/server.js';
import type { IvshmemJournal, JoiningPeer } from '../memory/persistence.js';
import type { Tenant } from '../policy/tenant.js';
import type { LedgerFile } from './ledger-file.js';
import { KEPT_BY } from './ledger-writes.js';
import { nameOfIvshmem } from './names.js';
import type { PeerRecord, ServerRecord } from './records.js';
import type { StoredFds } from './stored-fds.js';

const namesOf = (peers: readonly PeerRecord[]): string[] => peers.flatMap(({ names }) => names);
const keyOf = ({ server, id }: Pick<PeerRecord, 'server' | 'id'>): string => `${server}/${id}`;

export class IvshmemWriter implements IvshmemJournal {
  readonly #ledger: LedgerFile;
  readonly #fds: StoredFds;
  /** The record of each server, with the name of its socket. */
  readonly #servers = new Map<IvshmemServer, ServerRecord>();
  /** The names of the fds of peers whose records were removed by unserving(). */
  readonly #leaving = new Map<IvshmemServer, string[]>();

  constructor(ledger: LedgerFile, fds: StoredFds) {
    this.#ledger = ledger;
    this.#fds = fds;
  }

  async served(server: IvshmemServer, socket: OwnedFd): Promise<void> {
    const { allocation, terms, ids } = server;
    if (!allocation.persisted) return;
    const name = nameOfIvshmem(this.#fds.nextNumber(), 0);
    await this.#fds.put(name, allocation.terms.tenant, [socket]);
    const record = { allocation: allocation.id, terms, name, nextId: ids.next };
    this.#servers.set(server, record);
    this.#ledger.require(() => this.#ledger.servers.put(name, record));
  }

  unserving(server: IvshmemServer): void {
    const record = this.#servers.get(server);
    if (!record) return;
    const peers = this.#peersOf(server, record);
    this.#ledger.require(() => this.#removeRecords(record, peers), KEPT_BY.ENDS);
    this.#leaving.set(server, namesOf(peers));
  }

  unserved(server: IvshmemServer): void {
    const record = this.#servers.get(server);
    if (!record) return;
    this.#servers.delete(server);
    const peers = this.#peersOf(server, record);
    const names = this.#leaving.get(server) ?? namesOf(peers);
    this.#leaving.delete(server);
    this.#ledger.eventually(() => this.#removeRecords(record, peers));
    for (const name of [record.name, ...names]) this.#fds.release(name);
  }

  #peersOf({ peers }: IvshmemServer, { name }: ServerRecord): PeerRecord[] {
    return peers.flatMap(({ id }) => this.#ledger.peers.get(keyOf({ server: name, id })) ?? []);
  }

  #removeRecords({ name }: ServerRecord, peers: readonly PeerRecord[]): void {
    this.#ledger.servers.remove(name);
    for (const peer of peers) this.#ledger.peers.remove(keyOf(peer));
  }

  async joining(server: IvshmemServer, peer: JoiningPeer, socket: OwnedFd): Promise<void> {
    const { session, doorbells } = peer;
    const served = this.#servers.get(server);
    if (!served) return;
    // The grant has persisted the session. Without a pidfd the session ends with this process; then only the
    // peer's id stays allocated.
    const watched = this.#ledger.sessions.get(session.id)?.watched === true;
    const names = watched
      ? await this.#put(session.identity.tenant, [socket, ...doorbells.fds.map(({ fd }) => fd)])
      : [];
    try {
      if (this.#servers.get(server) !== served) {
        throw new VkmemError('NOT_FOUND', 'The ivshmem server was stopped meanwhile.');
      }
      this.#write(server, served, peer, names);
    } catch (failure) {
      for (const name of names) this.#fds.release(name);
      throw failure;
    }
  }

  #write(server: IvshmemServer, served: ServerRecord, peer: JoiningPeer, names: readonly string[]): void {
    const { id, session, joinedAt } = peer;
    const record = { ...served, nextId: server.ids.next };
    const joined = {
      server: served.name,
      id,
      session: session.id,
      joinedAt,
      names,
      settled: false,
      read: false,
    };
    this.#ledger.require(() => {
      this.#ledger.servers.put(served.name, record);
      this.#ledger.peers.put(keyOf(joined), joined);
    });
    this.#servers.set(server, record);
  }

  /** Stores all fds or none. @returns their names. @throws VkmemError TOO_MANY_FILES. */
  async #put(tenant: Tenant, fds: readonly OwnedFd[]): Promise<string[]> {
    const number = this.#fds.nextNumber();
    const names = fds.map((_, index) => nameOfIvshmem(number, index));
    const ends = await Promise.allSettled(
      names.map((name, at) => this.#fds.put(name, tenant, fds.slice(at, at + 1))),
    );
    const failed = ends.find((end) => end.status === 'rejected');
    if (!failed) return names;
    for (const [at, name] of names.entries()) if (ends[at]?.status === 'fulfilled') this.#fds.release(name);
    throw failed.reason;
  }

  settled(server: IvshmemServer, id: number, settled: boolean): void {
    const record = this.#peer(server, id);
    if (record && record.settled !== settled) this.#ledger.peers.put(keyOf(record), { ...record, settled });
  }

  read(server: IvshmemServer, id: number): void {
    const record = this.#peer(server, id);
    if (record) this.#ledger.peers.put(keyOf(record), { ...record, read: true });
  }

  left(server: IvshmemServer, id: number): void {
    const record = this.#peer(server, id);
    if (record) this.removePeer(record);
  }

  #peer(server: IvshmemServer, id: number): PeerRecord | undefined {
    const served = this.#servers.get(server);
    return served && this.#ledger.peers.get(keyOf({ server: served.name, id }));
  }

  /** Adopts a server of an earlier start. */
  restored(server: IvshmemServer, record: ServerRecord): void {
    this.#servers.set(server, record);
  }

  /** Adopts stored fds of an earlier start, by name. */
  adopt(names: readonly string[], tenant: Tenant | undefined): void {
    for (const name of names) this.#fds.adopt(name, tenant, 1);
  }

  /** Removes the record of a peer and releases its fds. */
  removePeer(record: PeerRecord): void {
    this.#ledger.peers.remove(keyOf(record));
    for (const name of record.names) this.#fds.release(name);
  }

  /** Removes the record of a server and releases its socket. */
  removeServer({ name }: ServerRecord): void {
    this.#ledger.servers.remove(name);
    this.#fds.release(name);
  }
}
