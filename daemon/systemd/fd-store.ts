/**
 * The fd store of a service manager, over $NOTIFY_SOCKET: systemd's, or that of `vkmemd --keeper`, which speaks the same.
 *
 * Limits. The manager drops what is beyond its number of fds, and what it is handed while it has the same file already;
 * it answers neither. And it hands all names to the next process in one variable, of which the kernel takes no more than
 * 128 KiB: beyond that no process could be started at all. So both are counted here, with what earlier processes left.
 * Names that are as short as can be make room: 16384 fds have 7 bytes each. A name is 1 to 255 bytes of ASCII.
 */
import {
  Connection,
  DatagramQueue,
  isFdName,
  MAX_DATAGRAM_FDS,
  MAX_FD_NAME_BYTES,
  type OwnedFd,
  seqpacketPair,
  VkmemError,
} from '@vkmemd/proto';
import type { FdStore } from '../store/fd-store.js';

/**
 * How many fds the manager says that it keeps, and 0 where it says nothing. $FDSTORE is systemd's word (since 254);
 * before that the unit says it by VKMEMD_FDSTORE_MAX. Both are removed from `env`.
 */
export function fdStoreCapacity(env: NodeJS.ProcessEnv): number {
  const said = env.FDSTORE ?? env.VKMEMD_FDSTORE_MAX ?? '';
  delete env.FDSTORE;
  delete env.VKMEMD_FDSTORE_MAX;
  return /^\d{1,9}$/.test(said) ? Number(said) : 0;
}

export class NotifyFdStore implements FdStore {
  readonly capacity: number;
  readonly #queue: DatagramQueue;
  /** Name -> how many fds are kept under it. */
  readonly #names = new Map<string, number>();
  #kept = 0;
  #nameBytes = 0;
  readonly #barriers = new Set<Connection>();
  /** The barrier that is on its way; never rejects. */
  #running: Promise<void> | undefined;
  /** The one that begins when that has come back. */
  #next: Promise<void> | undefined;

  /**
   * @param address $NOTIFY_SOCKET.
   * @param capacity As fdStoreCapacity() says.
   * @param inherited The name of each fd that was handed back to this process, and is kept still.
   */
  constructor(address: string, capacity: number, inherited: readonly string[] = []) {
    this.#queue = new DatagramQueue(address);
    this.capacity = capacity;
    for (const name of inherited) this.#count(name, 1);
  }

  get kept(): number {
    return this.#kept;
  }

  async put(name: string, fds: readonly OwnedFd[]): Promise<void> {
    requireName(name);
    this.#requireRoom(name, fds.length);
    this.#count(name, fds.length);
    const sent: Promise<void>[] = [];
    for (let at = 0; at < fds.length; at += MAX_DATAGRAM_FDS) {
      const some = fds.slice(at, at + MAX_DATAGRAM_FDS);
      sent.push(
        this.#queue.send(`FDSTORE=1\nFDNAME=${name}\nFDPOLL=0`, some).catch((failure) => {
          this.#count(name, -some.length);
          throw failure;
        }),
      );
    }
    // All of them: while one is under way its fds are borrowed.
    for (const outcome of await Promise.allSettled(sent)) {
      if (outcome.status === 'rejected') throw outcome.reason;
    }
  }

  async remove(name: string): Promise<void> {
    requireName(name);
    const kept = this.#names.get(name) ?? 0;
    await this.#queue.send(`FDSTOREREMOVE=1\nFDNAME=${name}`);
    this.#count(name, -kept);
  }

  settled(): Promise<void> {
    if (!this.#running) return this.#begin();
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.#begin();
    });
    return this.#next;
  }

  #begin(): Promise<void> {
    const barrier = this.#barrier();
    const done = () => {
      this.#running = undefined;
    };
    this.#running = barrier.then(done, done); // a failure is told to those who asked
    return barrier;
  }

  async #barrier(): Promise<void> {
    // The manager closes its end when it comes to the message.
    const [ours, theirs] = seqpacketPair();
    try {
      await new Promise<void>((resolve, reject) => {
        const barrier = new Connection(ours, {
          message: () => undefined,
          close: () => {
            this.#barriers.delete(barrier);
            if (this.#queue.closed) reject(closedStore());
            else resolve();
          },
        });
        this.#barriers.add(barrier);
        this.#queue.send('BARRIER=1', [theirs]).then(
          () => theirs.close(),
          (failure) => {
            reject(failure);
            barrier.close();
          },
        );
      });
    } finally {
      theirs.close();
    }
  }

  close(): void {
    this.#queue.close();
    for (const barrier of this.#barriers) barrier.close();
  }

  #requireRoom(name: string, count: number): void {
    const bytes = this.#nameBytes + count * (name.length + 1);
    if (this.#kept + count <= this.capacity && bytes <= MAX_FD_NAME_BYTES) return;
    const why =
      this.#kept + count > this.capacity ? `${this.capacity} fds` : `names of ${MAX_FD_NAME_BYTES} bytes`;
    throw new VkmemError('TOO_MANY_FILES', `The fd store keeps no more than ${why}.`, {
      kept: String(this.#kept),
      capacity: String(this.capacity),
    });
  }

  #count(name: string, by: number): void {
    const before = this.#names.get(name) ?? 0;
    // Never below none: what failed to be put may have been removed as well.
    const change = Math.max(by, -before);
    const count = before + change;
    if (count > 0) this.#names.set(name, count);
    else this.#names.delete(name);
    this.#kept += change;
    this.#nameBytes += change * (name.length + 1);
  }
}

function requireName(name: string): void {
  if (isFdName(name)) return;
  throw new VkmemError(
    'INVALID_NAME',
    'What is kept in the fd store has a name of 1 to 255 ASCII characters, no colon.',
  );
}

const closedStore = () => new VkmemError('UNAVAILABLE', 'The fd store was closed.');
