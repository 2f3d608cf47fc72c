/**
 * The link to one ivshmem peer: words are sent at once, or wait until the peer has made room.
 *
 * No other peer waits for it. It is hung up on where it has not read its handshake, or made room for what
 * waits, within the time that a handshake may take; where more waits than anybody may leave unread; and where
 * it sends anything, which no client of this protocol does.
 *
 * Fds count as in flight until the peer has read them (limits/in-flight-fds.ts): where there is no room for
 * more of them, words with fds wait too.
 */
import { type CloseReason, encodeWord, FdStream, type OwnedFd, Poll, VkmemError } from '@vkmemd/proto';
import type { InFlightFds } from '../limits/in-flight-fds.js';
import type { PeerLink } from '../memory/ivshmem/server.js';
import type { LinkEvents } from '../memory/ivshmem/servers.js';
import type { SharedFd } from '../memory/ivshmem/shared-fds.js';

/** Words: twice what a new peer is sent of 64 others with 64 vectors. */
const MAX_WAITING = 8192;
const INTERVALS = { firstMs: 5, maxMs: 250 };

const fault = (reason: string): VkmemError => new VkmemError('PROTOCOL_ERROR', reason);

/** Undefined of a peer that just leaves. */
function faultOf(reason: CloseReason): VkmemError | undefined {
  if (reason.kind === 'hangup' || reason.kind === 'closed') return undefined;
  return fault(reason.kind === 'error' ? reason.message : 'It said something.');
}

/** A word that waits, with the fd that it retains. */
interface WaitingWord {
  readonly value: bigint;
  readonly fd: OwnedFd | undefined;
  readonly retained: Disposable | undefined;
}

export class IvshmemLink implements PeerLink {
  readonly #stream: FdStream;
  readonly #inFlight: InFlightFds;
  readonly #events: LinkEvents;
  readonly #patienceMs: number;
  readonly #waiting: WaitingWord[] = [];
  #sentFds = 0;
  /** By when the peer must have read, or made room; undefined where nothing is asked of it. */
  #deadline: number | undefined;
  readonly #poll = new Poll(INTERVALS, () => this.#look());
  /** Whether the handshake is still to be read. */
  #fresh: boolean;
  #gone = false;

  /**
   * @param socket taken. @param fresh whether it still has a handshake to read. @param patienceMs for that.
   * @throws KernelError.
   */
  constructor(
    socket: OwnedFd,
    inFlight: InFlightFds,
    events: LinkEvents,
    patienceMs: number,
    fresh: boolean,
  ) {
    this.#inFlight = inFlight;
    this.#events = events;
    this.#patienceMs = patienceMs;
    this.#fresh = fresh;
    const handlers = {
      data: () => {},
      drain: () => this.#flush(),
      close: (reason: CloseReason) => this.hangUp(faultOf(reason)),
    };
    this.#stream = new FdStream(socket, handlers, { maxBytes: 0, untrusted: true });
    if (!fresh) return;
    this.#deadline = performance.now() + patienceMs;
    this.#poll.wait();
  }

  get settled(): boolean {
    return this.#waiting.length === 0;
  }

  send(value: bigint, shared?: SharedFd): void {
    if (this.#gone) return;
    if (this.settled && this.#send(value, shared?.fd)) return;
    if (this.#gone) return;
    if (this.#waiting.length >= MAX_WAITING) {
      this.hangUp(fault(`It left ${MAX_WAITING} words unread.`));
      return;
    }
    this.#waiting.push({ value, fd: shared?.fd, retained: shared?.retain() });
    if (this.#waiting.length > 1) return;
    this.#deadline ??= performance.now() + this.#patienceMs;
    this.#events.settled(false);
    this.#poll.wait();
  }

  /** @param failure what the peer did, or what failed. */
  hangUp(failure?: unknown): void {
    if (this.#end()) {
      this.#stream.close();
      this.#events.gone(failure);
    }
  }

  detach(): void {
    if (this.#end()) this.#stream.detach();
  }

  /** False where it had ended. */
  #end(): boolean {
    if (this.#gone) return false;
    this.#gone = true;
    this.#poll[Symbol.dispose]();
    for (const { retained } of this.#waiting.splice(0)) retained?.[Symbol.dispose]();
    this.#inFlight[Symbol.dispose]();
    return true;
  }

  /** Whether it was sent, or need not be. */
  #send(value: bigint, fd: OwnedFd | undefined): boolean {
    if (fd && !this.#hasRoomInFlight()) return false;
    try {
      const outcome = this.#stream.send(encodeWord(value), fd);
      if (fd && outcome === 'sent') {
        this.#sentFds += 1;
        this.#poll.wait();
      }
      return outcome !== 'full';
    } catch (failure) {
      // A socket that cannot be sent on is of no use to its peer.
      this.hangUp(failure);
      return true;
    }
  }

  #hasRoomInFlight(): boolean {
    if (this.#stream.allRead) this.#sentFds = 0;
    return this.#inFlight.raise(this.#sentFds + 1);
  }

  #flush(): void {
    const waited = this.#waiting.length;
    for (let next = this.#waiting[0]; next && !this.#gone; next = this.#waiting[0]) {
      if (!this.#send(next.value, next.fd)) break;
      if (this.#gone) return;
      this.#waiting.shift();
      next.retained?.[Symbol.dispose]();
    }
    if (this.#gone || waited === this.#waiting.length) return;
    this.#deadline = performance.now() + this.#patienceMs;
    if (this.settled) this.#events.settled(true);
  }

  /** The kernel gives no notice of what was read. @returns whether there is nothing more to look at. */
  #look(): boolean {
    if (!this.settled) this.#flush();
    if (this.#gone) return true;
    const read = this.#stream.allRead;
    if (read && this.settled) {
      this.#sentFds = 0;
      this.#inFlight.lower(0);
      this.#deadline = undefined;
      if (this.#fresh) this.#events.read();
      this.#fresh = false;
      return true;
    }
    // A peer that has read everything waits for room for fds in flight, which others have taken.
    if (read) this.#deadline = performance.now() + this.#patienceMs;
    if (this.#deadline !== undefined && performance.now() > this.#deadline) {
      this.hangUp(fault(`It did not read within ${this.#patienceMs} ms.`));
      return true;
    }
    return false;
  }
}
