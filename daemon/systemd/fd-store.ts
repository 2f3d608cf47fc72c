/**
 * The fd store of a service manager, used over $NOTIFY_SOCKET: that of systemd, or of `vkmemd --supervisor`,
 * which implements the same protocol.
 *
 * Limits: the manager closes fds beyond its maximum, and duplicates of stored files, without reporting it. It
 * passes all names to the next process in one environment variable, which the kernel limits to 128 KiB; with
 * more, no process can be started. So fds and bytes of names are counted here, including those of earlier
 * processes. With 16384 fds there are 7 bytes for each name. A name has 1 to 255 bytes of ASCII.
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
 * The maximum number of fds that the manager stores; 0 if neither variable is set. systemd sets $FDSTORE
 * since version 254; for older versions the unit sets VKMEMD_FDSTORE_MAX. Both are removed from `env`.
 */
export function fdStoreCapacity(env: NodeJS.ProcessEnv): number {
  const max = env.FDSTORE ?? env.VKMEMD_FDSTORE_MAX ?? '';
  delete env.FDSTORE;
  delete env.VKMEMD_FDSTORE_MAX;
  return /^\d{1,9}$/.test(max) ? Number(max) : 0;
}

/** The time in which a manager reads a message. */
const ANSWER_MS = 5000;

export class NotifyFdStore implements FdStore {
  readonly capacity: number;
  readonly #queue: DatagramQueue;
  /** The number of fds that are stored under each name. */
  readonly #names = new Map<string, number>();
  readonly #note: (what: string) => void;
  readonly #answerMs: number;
  /** Whether the manager has not answered in time, and not since then. */
  #deaf = false;
  #stored = 0;
  #nameBytes = 0;
  readonly #barriers = new Set<Connection>();
  /** The barrier under way; never rejects. */
  #running: Promise<void> | undefined;
  /** The barrier that follows it. */
  #next: Promise<void> | undefined;

  /**
   * @param address $NOTIFY_SOCKET.
   * @param capacity The result of fdStoreCapacity().
   * @param inherited The name of each fd that the manager passed to this process and still stores.
   * @param note Receives a note if the manager does not answer in time.
   */
  constructor(
    address: string,
    capacity: number,
    inherited: readonly string[] = [],
    note: (what: string) => void = () => {},
    answerMs = ANSWER_MS,
  ) {
    this.#note = note;
    this.#answerMs = answerMs;
    this.#queue = new DatagramQueue(address, 'NOTIFY_SOCKET');
    this.capacity = capacity;
    for (const name of inherited) this.#count(name, 1);
  }

  get stored(): number {
    return this.#stored;
  }

  async put(name: string, fds: readonly OwnedFd[]): Promise<void> {
    requireName(name);
    this.#requireRoom(name, fds.length);
    this.#count(name, fds.length);
    const sent: Promise<void>[] = [];
    for (let at = 0; at < fds.length; at += MAX_DATAGRAM_FDS) {
      const some = fds.slice(at, at + MAX_DATAGRAM_FDS);
      sent.push(
        this.#queue.send(`FDSTORE=1\nFDNAME=${name}\nFDPOLL=0`, some, this.#answerMs).catch((failure) => {
          this.#count(name, -some.length);
          throw failure;
        }),
      );
    }
    // Waits for all messages: the fds are borrowed until they are sent.
    for (const outcome of await Promise.allSettled(sent)) {
      if (outcome.status === 'rejected') throw outcome.reason;
    }
  }

  async remove(name: string): Promise<void> {
    requireName(name);
    const count = this.#names.get(name) ?? 0;
    await this.#queue.send(`FDSTOREREMOVE=1\nFDNAME=${name}`);
    this.#count(name, -count);
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
    const barrier = this.#answered();
    const done = () => {
      this.#running = undefined;
    };
    this.#running = barrier.then(done, done); // The callers of settled() receive the failure.
    return barrier;
  }

  /** Resolves after a barrier, or when the manager has not answered in time: neither a start nor a stop waits longer. */
  async #answered(): Promise<void> {
    const barrier = this.#barrier().then(() => {
      this.#deaf = false;
    });
    if (this.#deaf) {
      barrier.catch(() => {}); // An earlier note has said it.
      return;
    }
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), this.#answerMs);
    });
    const outcome = await Promise.race([barrier, late]).finally(() => clearTimeout(timer));
    if (outcome !== 'late') return;
    barrier.catch(() => {});
    this.#deaf = true;
    this.#note(
      `the service manager has not read its socket for ${this.#answerMs / 1000} s: fds that are stored now may not ` +
        'outlive this daemon',
    );
  }

  async #barrier(): Promise<void> {
    // The manager closes its end of the pair when it processes the message.
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
    if (this.#stored + count <= this.capacity && bytes <= MAX_FD_NAME_BYTES) return;
    const limit =
      this.#stored + count > this.capacity ? `${this.capacity} fds` : `${MAX_FD_NAME_BYTES} bytes of names`;
    throw new VkmemError('TOO_MANY_FILES', `The fd store is full (${limit}).`, {
      kept: String(this.#stored),
      capacity: String(this.capacity),
    });
  }

  #count(name: string, by: number): void {
    const before = this.#names.get(name) ?? 0;
    // Never below 0: fds whose put() failed may have been removed as well.
    const change = Math.max(by, -before);
    const count = before + change;
    if (count > 0) this.#names.set(name, count);
    else this.#names.delete(name);
    this.#stored += change;
    this.#nameBytes += change * (name.length + 1);
  }
}

function requireName(name: string): void {
  if (isFdName(name)) return;
  throw new VkmemError(
    'INVALID_NAME',
    'A name in the fd store must have 1 to 255 ASCII characters and no colon.',
  );
}

const closedStore = () => new VkmemError('UNAVAILABLE', 'The fd store was closed.');
