/**
 * The ids of one ivshmem server's peers.
 *
 * QEMU keeps a table by id, and of an id that it saw leave the table's row is freed and not made again: another peer under
 * that id would be written to memory that is not QEMU's any more (hw/misc/ivshmem.c of 7.2, close_peer_eventfds). So an
 * id is given again only once everybody has gone who was there when it left, and the lowest first, since the table is as
 * long as the highest id.
 */
import { MOST_PEER_ID, VkmemError } from '@vkmemd/proto';

export class PeerIds {
  readonly #used = new Set<number>();
  /** Ids that have left, and those who saw it and are still there. */
  readonly #seen = new Map<number, Set<number>>();
  #next = 0;

  /** The lowest that was never given since everybody had gone. */
  get next(): number {
    return this.#next;
  }

  /** @throws VkmemError TOO_MANY_PEERS. */
  take(): number {
    const again = this.#lowestAgain();
    const id = again ?? this.#next;
    if (id > MOST_PEER_ID) throw new VkmemError('TOO_MANY_PEERS', `There were ${MOST_PEER_ID + 1} ids.`);
    if (again === undefined) this.#next += 1;
    this.#seen.delete(id);
    this.#used.add(id);
    return id;
  }

  /** One that was taken before this process began. */
  restore(id: number): void {
    this.#used.add(id);
  }

  /** All that were given before and are not used now left before this process began: whoever is there may have seen it. */
  restored(next: number): void {
    this.#next = next;
    for (let id = 0; id < next; id += 1) {
      if (!this.#used.has(id)) this.#seen.set(id, new Set(this.#used));
    }
    this.#forgetUnseen();
  }

  /** The peer is gone, and all others are told. @param told whether anybody had heard of it. */
  leave(id: number, told = true): void {
    this.#used.delete(id);
    for (const witnesses of this.#seen.values()) witnesses.delete(id);
    this.#seen.set(id, new Set(told ? this.#used : []));
    this.#forgetUnseen();
  }

  #forgetUnseen(): void {
    if (this.#used.size > 0) return;
    this.#seen.clear();
    this.#next = 0;
  }

  #lowestAgain(): number | undefined {
    let lowest: number | undefined;
    for (const [id, witnesses] of this.#seen) {
      if (witnesses.size === 0 && (lowest === undefined || id < lowest)) lowest = id;
    }
    return lowest;
  }
}
