/**
 * The peer ids of one ivshmem server.
 *
 * QEMU has a table of peers by id. When a peer leaves, QEMU frees the table's row and does not allocate it
 * again: announcing another peer under that id would make QEMU write to freed memory (hw/misc/ivshmem.c of
 * 7.2, close_peer_eventfds). So an id is reused only once all peers have left that were present when it left.
 * The lowest free id is used first, since the table is as long as the highest id.
 *
 * Limits: while one peer stays connected, the number of joins is limited to the number of ids.
 */
import { MAX_PEER_ID, VkmemError } from '@vkmemd/proto';

export class PeerIds {
  /** Present peers and their join times (`#clock`), the oldest first. */
  readonly #joined = new Map<number, number>();
  /** Ids of peers that left and the times, the oldest first, from index `#first` on. */
  #left: { readonly id: number; readonly at: number }[] = [];
  #first = 0;
  /** Ids that can be reused, the lowest first. */
  readonly #free: number[] = [];
  #next = 0;
  #clock = 0;

  /** How many ids are in use. */
  get size(): number {
    return this.#joined.size;
  }

  /** The lowest id that has not been allocated since the server last had no peers. */
  get next(): number {
    return this.#next;
  }

  /** @throws VkmemError TOO_MANY_PEERS. */
  allocate(): number {
    const id = this.#free.shift() ?? this.#next;
    if (id > MAX_PEER_ID)
      throw new VkmemError(
        'TOO_MANY_PEERS',
        `All ${MAX_PEER_ID + 1} ids are in use or may not be reused yet.`,
      );
    if (id === this.#next) this.#next += 1;
    this.#join(id);
    return id;
  }

  /** Adds an id that was allocated before this process began. */
  restore(id: number): void {
    this.#join(id);
  }

  /**
   * Restores the ids below `next`. Those that are not in use left before this process began; present peers
   * may have seen them.
   */
  restored(next: number): void {
    this.#next = next;
    for (let id = 0; id < next; id += 1) if (!this.#joined.has(id)) this.#retire(id);
    this.#reuseUnseen();
  }

  /** The peer has left. @param announced whether it was announced to any other. */
  release(id: number, announced = true): void {
    if (!this.#joined.delete(id)) return;
    if (announced) this.#retire(id);
    else this.#makeFree(id);
    this.#reuseUnseen();
  }

  #join(id: number): void {
    this.#clock += 1;
    this.#joined.set(id, this.#clock);
  }

  #retire(id: number): void {
    this.#clock += 1;
    this.#left.push({ id, at: this.#clock });
  }

  /** Frees the ids that left before the oldest present peer joined: no present peer has seen them. */
  #reuseUnseen(): void {
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
      this.#makeFree(next.id);
    }
    if (this.#first < 1024) return;
    this.#left = this.#left.slice(this.#first);
    this.#first = 0;
  }

  #makeFree(id: number): void {
    let [low, high] = [0, this.#free.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#free[middle] as number) < id) low = middle + 1;
      else high = middle;
    }
    this.#free.splice(low, 0, id);
  }
}
