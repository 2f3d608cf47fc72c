/**
 * Pace: how fast one client's requests are read and begun.
 *
 * Nothing is read while as many requests as there may be are under way, while the client has used up its rate, while its
 * user has had its part of a turn of the event loop (rounds.ts), or while it leaves so many answers unread that one
 * with fds under way might find no room. It waits in its own socket then, nothing is lost, and nobody is told. What
 * stops reading also hides a hang-up, until it passes; all of these do, and the end of the client's process is seen all
 * the same.
 */
import type { Connection, VkmemError } from '@vkmemd/proto';
import { TokenBucket } from '../limits/token-bucket.js';
import type { Place } from './admission.js';
import { FdCredit } from './credit.js';

type Reason = 'under way' | 'rate' | 'round' | 'unread' | 'end';

export class ReadThrottle {
  readonly #connection: Connection;
  readonly #max: number;
  readonly #credit: FdCredit;
  readonly #rate: TokenBucket;
  readonly #place: Place;
  readonly #nextRound = () => this.#goOn('round');
  readonly #reasons = new Set<Reason>();
  #timer: NodeJS.Timeout | undefined;
  #underWay = 0;
  #idle: (() => void) | undefined;

  constructor(connection: Connection, place: Place) {
    const { limits, flight } = place;
    this.#connection = connection;
    this.#place = place;
    this.#max = limits.messagesInFlight;
    this.#rate = new TokenBucket(limits.requestsPerSecond, limits.requestBurst);
    this.#credit = new FdCredit(connection, flight, limits.fdsInFlight, () => {
      if (this.#reasons.has('unread') && !this.#credit.tight) this.#goOn('unread');
    });
  }

  /** Requests that are not answered yet. */
  get underWay(): number {
    return this.#underWay;
  }

  /** A message came. */
  count(): void {
    if (!this.#place.mayGoOn(this.#nextRound)) this.#hold('round');
    const wait = this.#rate.take();
    if (this.#credit.waiting > 0) this.#credit.look();
    if (wait === 0 || this.#reasons.has('rate')) return;
    this.#hold('rate');
    this.#timer = setTimeout(() => this.#goOn('rate'), wait);
  }

  /** A request begins; end() it. */
  begin(): void {
    this.#underWay += 1;
    if (this.#underWay >= this.#max) this.#hold('under way');
  }

  /** Resolves when a request under way may make so many fds more; undefined where it may at once. */
  take(fds: number): Promise<void> | undefined {
    return this.#credit.take(fds);
  }

  /** It is answered. @param fds all that it took. */
  end(fds: number): void {
    this.#underWay -= 1;
    if (fds > 0) this.#credit.settle(fds);
    if (this.#credit.tight) {
      this.#hold('unread');
      this.#credit.watch();
    }
    if (this.#underWay < this.#max) this.#goOn('under way');
    if (this.#underWay === 0) this.#idle?.();
  }

  /** Reads nothing more; resolves when everything under way is answered, what waits for its client with `reason`. */
  async finish(reason: VkmemError): Promise<void> {
    this.#hold('end');
    this.#credit.close(reason);
    if (this.#underWay === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
  }

  /** The connection is gone. */
  close(reason: VkmemError): void {
    clearTimeout(this.#timer);
    this.#credit.close(reason);
  }

  #hold(reason: Reason): void {
    if (this.#reasons.size === 0) this.#connection.pause();
    this.#reasons.add(reason);
  }

  #goOn(reason: Reason): void {
    if (this.#reasons.delete(reason) && this.#reasons.size === 0) this.#connection.resume();
  }
}
