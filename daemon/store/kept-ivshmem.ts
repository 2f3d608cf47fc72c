/**
 * What virtual machines are connected by, kept: the sockets that listen, the connections, and every peer's doorbells, so that
 * no machine sees that the daemon is gone.
 *
 * A peer is written down before anybody hears of it, as one that was not told all; once its words have gone, as one that was. One
 * that was not at a kill is hung up on by the next start, since nobody knows which words are missing. Who leaves is crossed
 * out before the others hear of it: at a kill in between they go without, which is better than to hear it twice
 * (memory/peer-ids.ts).
 */
import { type OwnedFd, VkmemError } from '@vkmemd/proto';
import type { IvshmemServer } from '../memory/ivshmem/server.js';
import type { IvshmemJournal, JoiningPeer } from '../memory/persistence.js';
import type { LedgerFile } from './ledger-file.js';
import { nameOfIvshmem } from './names.js';
import type { PeerRecord, ServerRecord } from './records.js';
import type { StoredFds } from './stored-fds.js';

const keyOf = ({ server, id }: Pick<PeerRecord, 'server' | 'id'>): string => `${server}/${id}`;

export class KeptIvshmem implements IvshmemJournal {
  readonly #ledger: LedgerFile;
  readonly #fds: StoredFds;
  /** What is written down, and under which names. */
  readonly #servers = new Map<IvshmemServer, ServerRecord>();

  constructor(ledger: LedgerFile, fds: StoredFds) {
    this.#ledger = ledger;
    this.#fds = fds;
  }

  async served(server: IvshmemServer, socket: OwnedFd): Promise<void> {
    const { allocation, terms, ids } = server;
    if (!allocation.kept) return;
    const name = nameOfIvshmem(this.#fds.nextNumber(), 0);
    await this.#fds.put(name, allocation.terms.ownerUid, [socket]);
    const record = { allocation: allocation.id, terms, name, nextId: ids.next };
    this.#servers.set(server, record);
    this.#ledger.servers.put(name, record);
  }

  unserved(server: IvshmemServer): void {
    const record = this.#servers.get(server);
    if (!record) return;
    this.#servers.delete(server);
    const peers = server.peers.flatMap(
      ({ id }) => this.#ledger.peers.get(keyOf({ server: record.name, id })) ?? [],
    );
    this.#ledger.together(() => {
      this.#ledger.servers.remove(record.name);
      for (const peer of peers) this.#ledger.peers.remove(keyOf(peer));
    });
    for (const name of [record.name, ...peers.flatMap(({ names }) => names)]) this.#fds.release(name);
  }

  async joining(server: IvshmemServer, peer: JoiningPeer, socket: OwnedFd): Promise<void> {
    const { session, doorbells } = peer;
    const served = this.#servers.get(server);
    if (!served) return;
    // The grant has written its session down. Without a pidfd it does not outlive this process, but its id is known.
    const watched = this.#ledger.sessions.get(session.id)?.watched === true;
    const names = watched
      ? await this.#put(session.identity.uid, [socket, ...doorbells.lent.map(({ fd }) => fd)])
      : [];
    if (this.#servers.get(server) === served) {
      this.#write(server, served, peer, names);
      return;
    }
    for (const name of names) this.#fds.release(name);
    throw new VkmemError('NOT_FOUND', 'The offer has ended meanwhile.');
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
    this.#servers.set(server, record);
    this.#ledger.together(() => {
      this.#ledger.servers.put(served.name, record);
      this.#ledger.peers.put(keyOf(joined), joined);
    });
  }

  /** All or none. @returns their names. @throws VkmemError TOO_MANY_FILES. */
  async #put(uid: number, fds: readonly OwnedFd[]): Promise<string[]> {
    const number = this.#fds.nextNumber();
    const names = fds.map((_, index) => nameOfIvshmem(number, index));
    const ends = await Promise.allSettled(
      names.map((name, at) => this.#fds.put(name, uid, fds.slice(at, at + 1))),
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
    if (record) this.forgetPeer(record);
  }

  #peer(server: IvshmemServer, id: number): PeerRecord | undefined {
    const served = this.#servers.get(server);
    return served && this.#ledger.peers.get(keyOf({ server: served.name, id }));
  }

  /** It goes on since an earlier start. */
  restored(server: IvshmemServer, record: ServerRecord): void {
    this.#servers.set(server, record);
  }

  /** What has the names is still kept, since an earlier start. */
  adopt(names: readonly string[], uid: number): void {
    for (const name of names) this.#fds.adopt(name, uid, 1);
  }

  /** Nobody has any use for it any more. */
  forgetPeer(record: PeerRecord): void {
    this.#ledger.peers.remove(keyOf(record));
    for (const name of record.names) this.#fds.release(name);
  }

  /** The same of a server. */
  forget({ name }: ServerRecord): void {
    this.#ledger.servers.remove(name);
    this.#fds.release(name);
  }
}
