/**
 * The way to one ivshmem peer: words that are sent at once, or wait until the peer has made room.
 *
 * Nobody waits for it but itself. It is hung up on where it has not read its handshake, or made room for what waits, within the
 * time that a handshake may take; where more waits than anybody may leave unread; and where it says anything, which no
 * client of this protocol does.
 *
 * Fds count as in flight until the peer has read them (limits/flight.ts): where there is no room for more of them, words with
 * fds wait too.
 */
import { type CloseReason, encodeWord, FdStream, type OwnedFd, VkmemError } from '@vkmemd/proto';
import type { InFlightFds } from '../limits/in-flight-fds.js';
import type { PeerLink } from '../memory/ivshmem/server.js';
import type { LinkEvents } from '../memory/ivshmem/servers.js';
import type { Lent } from '../memory/ivshmem/shared-fds.js';

/** Words: twice what a newcomer is told of 64 others with 64 vectors. */
const MAX_WAITING = 8192;
const FIRST_LOOK_MS = 5;
const LAST_LOOK_MS = 250;

const fault = (reason: string): VkmemError => new VkmemError('PROTOCOL_ERROR', reason);

/** Undefined of a peer that just leaves. */
function faultOf(reason: CloseReason): VkmemError | undefined {
  if (reason.kind === 'hangup' || reason.kind === 'closed') return undefined;
  return fault(reason.kind === 'error' ? reason.message : 'It said something.');
}

interface Waiting {
  readonly value: bigint;
  readonly lent: Lent | undefined;
}

export class IvshmemLink implements PeerLink {
  readonly #stream: FdStream;
  readonly #flight: InFlightFds;
  readonly #events: LinkEvents;
  readonly #patienceMs: number;
  readonly #waiting: Waiting[] = [];
  #flying = 0;
  /** By when the peer must have read, or made room; undefined where nothing is asked of it. */
  #deadline: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #delay = FIRST_LOOK_MS;
  /** Whether the handshake is still to be read. */
  #fresh: boolean;
  #gone = false;

  /**
   * @param socket taken. @param fresh whether it still has a handshake to read. @param patienceMs for that.
   * @throws KernelError.
   */
  constructor(socket: OwnedFd, flight: InFlightFds, events: LinkEvents, patienceMs: number, fresh: boolean) {
    this.#flight = flight;
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
    this.#lookLater();
  }

  get settled(): boolean {
    return this.#waiting.length === 0;
  }

  tell(value: bigint, lent?: Lent): void {
    if (this.#gone) return;
    if (this.settled && this.#send(value, lent?.fd)) return;
    if (this.#gone) return;
    if (this.#waiting.length >= MAX_WAITING) {
      this.hangUp(fault(`It left ${MAX_WAITING} words unread.`));
      return;
    }
    lent?.hold();
    this.#waiting.push({ value, lent });
    if (this.#waiting.length > 1) return;
    this.#deadline ??= performance.now() + this.#patienceMs;
    this.#events.settled(false);
    this.#lookLater();
  }

  /** @param failure what the peer did, or what failed. */
  hangUp(failure?: unknown): void {
    if (this.#end()) {
      this.#stream.close();
      this.#events.gone(failure);
    }
  }

  leave(): void {
    if (this.#end()) this.#stream.leave();
  }

  /** False where it had ended. */
  #end(): boolean {
    if (this.#gone) return false;
    this.#gone = true;
    clearTimeout(this.#timer);
    for (const { lent } of this.#waiting.splice(0)) lent?.letGo();
    this.#flight.leave();
    return true;
  }

  /** Whether it was sent, or need not be. */
  #send(value: bigint, fd: OwnedFd | undefined): boolean {
    if (fd && !this.#mayFly()) return false;
    try {
      const outcome = this.#stream.send(encodeWord(value), fd);
      if (fd && outcome === 'sent') {
        this.#flying += 1;
        this.#lookLater();
      }
      return outcome !== 'full';
    } catch (failure) {
      // A socket that cannot be sent on is of no use to its peer.
      this.hangUp(failure);
      return true;
    }
  }

  #mayFly(): boolean {
    if (this.#stream.allRead) this.#flying = 0;
    return this.#flight.raise(this.#flying + 1);
  }

  #flush(): void {
    const waited = this.#waiting.length;
    for (let next = this.#waiting[0]; next && !this.#gone; next = this.#waiting[0]) {
      if (!this.#send(next.value, next.lent?.fd)) break;
      if (this.#gone) return;
      this.#waiting.shift();
      next.lent?.letGo();
    }
    if (this.#gone || waited === this.#waiting.length) return;
    this.#deadline = performance.now() + this.#patienceMs;
    if (this.settled) this.#events.settled(true);
  }

  /** The kernel gives no notice of what was read. */
  #lookLater(): void {
    if (this.#timer || this.#gone) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#look();
    }, this.#delay);
    // A stopping daemon does not wait for peers that do not read.
    this.#timer.unref();
  }

  #look(): void {
    if (!this.settled) this.#flush();
    if (this.#gone) return;
    const read = this.#stream.allRead;
    if (read && this.settled) {
      this.#flying = 0;
      this.#flight.lower(0);
      this.#deadline = undefined;
      this.#delay = FIRST_LOOK_MS;
      if (this.#fresh) this.#events.read();
      this.#fresh = false;
      return;
    }
    // Who has read everything waits for room for fds in flight, which others have taken.
    if (read) this.#deadline = performance.now() + this.#patienceMs;
    if (this.#deadline !== undefined && performance.now() > this.#deadline) {
      this.hangUp(fault(`It did not read within ${this.#patienceMs} ms.`));
      return;
    }
    this.#delay = Math.min(this.#delay * 2, LAST_LOOK_MS);
    this.#lookLater();
  }
}
