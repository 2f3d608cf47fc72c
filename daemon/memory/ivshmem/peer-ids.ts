/**
 * The ids of one ivshmem server's peers.
 *
 * QEMU keeps a table by id, and of an id that it saw leave the table's row is freed and not made again: another peer under
 * that id would be written to memory that is not QEMU's any more (hw/misc/ivshmem.c of 7.2, close_peer_eventfds). So an
 * id is given again only once everybody has gone who was there when it left, and the lowest first, since the table is as
 * long as the highest id.
 *
 * Limits: while one and the same peer stays, there are as many joins as ids.
 */
import { MAX_PEER_ID, VkmemError } from '@vkmemd/proto';

export class PeerIds {
  /** Those who are there and when they came, the oldest first. */
  readonly #joined = new Map<number, number>();
  /** Ids that left and when, the longest ago first: those from `#first` on. */
  #left: { readonly id: number; readonly at: number }[] = [];
  #first = 0;
  /** Ids that can be given again, the lowest first. */
  readonly #free: number[] = [];
  #next = 0;
  #clock = 0;

  /** How many are in use. */
  get size(): number {
    return this.#joined.size;
  }

  /** The lowest that was never given since everybody had gone. */
  get next(): number {
    return this.#next;
  }

  /** @throws VkmemError TOO_MANY_PEERS. */
  take(): number {
    const id = this.#free.shift() ?? this.#next;
    if (id > MAX_PEER_ID) throw new VkmemError('TOO_MANY_PEERS', `There were ${MAX_PEER_ID + 1} ids.`);
    if (id === this.#next) this.#next += 1;
    this.#join(id);
    return id;
  }

  /** One that was taken before this process began. */
  restore(id: number): void {
    this.#join(id);
  }

  /** All that were given before and are not used now left before this process began: whoever is there may have seen it. */
  restored(next: number): void {
    this.#next = next;
    for (let id = 0; id < next; id += 1) if (!this.#joined.has(id)) this.#leave(id);
    this.#forgetUnseen();
  }

  /** The peer is gone, and all others are told. @param told whether anybody had heard of it. */
  leave(id: number, told = true): void {
    if (!this.#joined.delete(id)) return;
    if (told) this.#leave(id);
    else this.#release(id);
    this.#forgetUnseen();
  }

  #join(id: number): void {
    this.#clock += 1;
    this.#joined.set(id, this.#clock);
  }

  #leave(id: number): void {
    this.#clock += 1;
    this.#left.push({ id, at: this.#clock });
  }

  /** Whoever came after an id had left has not seen it. */
  #forgetUnseen(): void {
    if (this.#joined.size === 0) {
      this.#left = [];
      this.#first = 0;
      this.#free.length = 0;
      this.#next = 0;
      return;
    }
    const [oldest = 0] = this.#joined.values();
    for (let next = this.#left[this.#first]; next && next.at < oldest; next = this.#left[this.#first]) {
      this.#first += 1;
      this.#release(next.id);
    }
    if (this.#first < 1024) return;
    this.#left = this.#left.slice(this.#first);
    this.#first = 0;
  }

  #release(id: number): void {
    let [low, high] = [0, this.#free.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#free[middle] as number) < id) low = middle + 1;
      else high = middle;
    }
    this.#free.splice(low, 0, id);
  }
}
