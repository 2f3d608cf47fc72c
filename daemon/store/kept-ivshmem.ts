/**
 * What virtual machines are connected by, kept: the sockets that listen, the connections, and every peer's doorbells, so that
 * no machine sees that the daemon is gone.
 *
 * A peer is written down before anybody hears of it, as one that was not told all; once its words have gone, as one that was. One
 * that was not at a kill is hung up on by the next start, since nobody knows which words are missing. Who leaves is crossed
 * out before the others hear of it: at a kill in between they go without, which is better than to hear it twice
 * (memory/peer-ids.ts).
 */
import type { OwnedFd } from '@vkmemd/proto';
import type { IvshmemServer } from '../memory/ivshmem-server.js';
import type { IvshmemBook, JoiningPeer } from '../memory/persistence.js';
import type { LedgerFile } from './ledger-file.js';
import { nameOfIvshmem } from './names.js';
import type { PeerRecord, ServerRecord } from './records.js';
import type { StoredFds } from './stored-fds.js';

const keyOf = (allocation: string, id: number): string => `${allocation}/${id}`;

export class KeptIvshmem implements IvshmemBook {
  readonly #ledger: LedgerFile;
  readonly #fds: StoredFds;

  constructor(ledger: LedgerFile, fds: StoredFds) {
    this.#ledger = ledger;
    this.#fds = fds;
  }

  async served({ allocation, terms, ids }: IvshmemServer, socket: OwnedFd): Promise<void> {
    if (!allocation.kept) return;
    const name = nameOfIvshmem(this.#fds.nextNumber(), 0);
    await this.#fds.put(name, allocation.terms.ownerUid, [socket]);
    this.#ledger.servers.put(allocation.id, { allocation: allocation.id, terms, name, nextId: ids.next });
  }

  unserved({ allocation }: IvshmemServer): void {
    const record = this.#ledger.servers.get(allocation.id);
    if (record) this.forget(record);
  }

  async joining(server: IvshmemServer, peer: JoiningPeer, socket: OwnedFd): Promise<void> {
    const { id, session, doorbells, joinedAt } = peer;
    const served = this.#ledger.servers.get(server.allocation.id);
    // The grant has written its session down, where that can be kept.
    const watched = this.#ledger.sessions.get(session.id)?.watched;
    if (!served || !watched) return;
    const number = this.#fds.nextNumber();
    const names: string[] = [];
    const { uid } = session.identity;
    try {
      const all = [socket, ...doorbells.fds].map(async (fd, index) => {
        const name = nameOfIvshmem(number, index);
        await this.#fds.put(name, uid, [fd]);
        names[index] = name;
      });
      const failed = (await Promise.allSettled(all)).find((end) => end.status === 'rejected');
      if (failed) throw failed.reason;
    } catch (failure) {
      for (const name of names.filter(Boolean)) this.#fds.release(name);
      throw failure;
    }
    this.#ledger.together(() => {
      this.#ledger.servers.put(served.allocation, { ...served, nextId: server.ids.next });
      const { allocation } = served;
      this.#ledger.peers.put(keyOf(allocation, id), {
        allocation,
        id,
        session: session.id,
        joinedAt,
        names,
        settled: false,
      });
    });
  }

  settled({ allocation }: IvshmemServer, id: number, settled: boolean): void {
    const key = keyOf(allocation.id, id);
    const record = this.#ledger.peers.get(key);
    if (record && record.settled !== settled) this.#ledger.peers.put(key, { ...record, settled });
  }

  left({ allocation }: IvshmemServer, id: number): void {
    const record = this.#ledger.peers.get(keyOf(allocation.id, id));
    if (record) this.forgetPeer(record);
  }

  /** Their fds are still kept, since an earlier start. */
  adopt({ name }: Pick<ServerRecord, 'name'>, uid: number): void {
    this.#fds.adopt(name, uid, 1);
  }

  adoptPeer({ names }: PeerRecord, uid: number): void {
    for (const name of names) this.#fds.adopt(name, uid, 1);
  }

  /** Nobody has any use for it any more. */
  forgetPeer({ allocation, id, names }: PeerRecord): void {
    this.#ledger.peers.remove(keyOf(allocation, id));
    for (const name of names) this.#fds.release(name);
  }

  /** The same of a server. */
  forget({ allocation, name }: ServerRecord): void {
    this.#ledger.servers.remove(allocation);
    this.#fds.release(name);
  }
}
