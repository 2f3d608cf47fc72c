/**
 * The link to one ivshmem peer. Messages (64-bit words, some with an fd) are sent at once, or queued until
 * the peer's socket has room.
 *
 * No other peer waits for it. The connection is closed if the peer does not read its handshake, or does not
 * make room for the queue, within the time limit of a handshake; if the queue exceeds MAX_WAITING; and if the
 * peer sends anything, which no client of this protocol does.
 *
 * A join is announced with up to 8000 messages. Those beyond SENDS_PER_TURN in one turn of the event loop are
 * queued, whatever their sockets have room for.
 *
 * Fds count as in flight until the peer has read them (limits/in-flight-fds.ts). If there is no room for more
 * of them, messages with fds are queued too.
 */
import { type CloseReason, encodeWord, FdStream, type OwnedFd, Poll, VkmemError } from '@vkmemd/proto';
import type { InFlightFds } from '../limits/in-flight-fds.js';
import { TurnBudget } from '../limits/turn-budget.js';
import type { PeerLink } from '../memory/ivshmem/server.js';
import type { LinkEvents } from '../memory/ivshmem/servers.js';
import type { SharedFd } from '../memory/ivshmem/shared-fds.js';

/** Maximum number of queued messages: twice what a new peer is sent about 64 others with 64 vectors. */
const MAX_WAITING = 8192;
/** Messages of all links in one turn of the event loop: about 4 ms. */
const SENDS_PER_TURN = 1024;
const INTERVALS = { firstMs: 5, maxMs: 250 };

const sends = new TurnBudget(SENDS_PER_TURN);

const fault = (reason: string): VkmemError => new VkmemError('PROTOCOL_ERROR', reason);

/** The fault of a closed connection; undefined if the peer left normally. */
function faultOf(reason: CloseReason): VkmemError | undefined {
  if (reason.kind === 'hangup' || reason.kind === 'closed') return undefined;
  return fault(
    reason.kind === 'error' ? reason.message : 'The peer sent data, which the protocol does not permit.',
  );
}

/** A queued message, with the fd that it retains. */
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
  /** The time by which the peer must have read or made room; undefined if nothing is due. */
  #deadline: number | undefined;
  readonly #poll = new Poll(INTERVALS, () => this.#look());
  /** Whether the peer has yet to read its handshake. */
  #fresh: boolean;
  #gone = false;

  /**
   * @param socket ownership is taken.
   * @param patienceMs the time limit for the peer to read its handshake, or to make room, in milliseconds.
   * @param fresh whether the peer has yet to read its handshake.
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
    if (this.settled && sends.take() && this.#send(value, shared?.fd)) return;
    if (this.#gone) return;
    if (this.#waiting.length >= MAX_WAITING) {
      this.hangUp(fault(`The peer left ${MAX_WAITING} messages unread.`));
      return;
    }
    this.#waiting.push({ value, fd: shared?.fd, retained: shared?.retain() });
    if (this.#waiting.length > 1) return;
    this.#deadline ??= performance.now() + this.#patienceMs;
    this.#events.settled(false);
    this.#poll.wait();
  }

  /** Closes the connection and reports its end. @param failure the peer's fault, or the error of a send. */
  hangUp(failure?: unknown): void {
    if (this.#end()) {
      this.#stream.close();
      this.#events.gone(failure);
    }
  }

  detach(): void {
    if (this.#end()) this.#stream.detach();
  }

  /** Ends the link. @returns false if it had ended before. */
  #end(): boolean {
    if (this.#gone) return false;
    this.#gone = true;
    this.#poll[Symbol.dispose]();
    for (const { retained } of this.#waiting.splice(0)) retained?.[Symbol.dispose]();
    this.#inFlight[Symbol.dispose]();
    return true;
  }

  /** Whether the message was sent, or need not be sent any more. */
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
      // A peer cannot be served without its socket.
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
      if (!sends.take() || !this.#send(next.value, next.fd)) break;
      if (this.#gone) return;
      this.#waiting.shift();
      next.retained?.[Symbol.dispose]();
    }
    if (this.#gone || waited === this.#waiting.length) return;
    this.#deadline = performance.now() + this.#patienceMs;
    if (this.settled) this.#events.settled(true);
  }

  /**
   * Checks what the peer has read, which the kernel does not notify about. @returns whether the poll ends.
   */
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
    // The peer has read everything, and waits for room for fds in flight, which others use: its time limit
    // restarts.
    if (read) this.#deadline = performance.now() + this.#patienceMs;
    if (this.#deadline !== undefined && performance.now() > this.#deadline) {
      this.hangUp(fault(`The peer did not read within ${this.#patienceMs} ms.`));
      return true;
    }
    return false;
  }
}
