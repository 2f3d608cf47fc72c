/**
 * Credit: how many fds may be on their way to one client, from the request that asks for them until the kernel says
 * that they were received (Connection.unreadFds).
 *
 * A request whose answer may carry fds begins when there is credit for them, in the order in which they came; others do
 * not wait. So what waits for a client that does not read is requests: no memory was made for them, and no fd of
 * theirs is open. It is looked at when the client sends something, when an answer has left, and by a timer at growing
 * intervals: the kernel gives no notice of it, and a socket with room in it is writable all along.
 *
 * With much unread in the socket no such request begins either, so that its answer finds room there: no answer with
 * fds is ever queued in this process.
 *
 * One answer may carry more than the client may have on its way: such a request begins once nothing else is.
 */
import type { Connection, Decoded, VkmemError } from '@vkmemd/proto';
import { MAX_MESSAGE_FDS } from '@vkmemd/proto';
import { type InFlightFds, MIN_IN_FLIGHT } from '../limits/in-flight-fds.js';

const FIRST_LOOK_MS = 1;
const LAST_LOOK_MS = 250;

/** What of a connection the credit looks at. */
export type Unread = Pick<Connection, 'unreadFds' | 'crowded'>;

interface Waiting {
  readonly fds: number;
  begin(): void;
  refuse(reason: VkmemError): void;
}

export class FdCredit {
  readonly #unread: Unread;
  readonly #flight: InFlightFds;
  readonly #max: number;
  readonly #eased: () => void;
  readonly #waiting: Waiting[] = [];
  #underWay = 0;
  #timer: NodeJS.Timeout | undefined;
  #delay = FIRST_LOOK_MS;
  #closed: VkmemError | undefined;

  /** @param max of fds. @param eased called after each look. */
  constructor(unread: Unread, flight: InFlightFds, max: number, eased: () => void) {
    this.#unread = unread;
    this.#flight = flight;
    this.#max = max;
    this.#eased = eased;
  }

  /** Requests that wait for it. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Whether no more answers should be made now: the next ones could take the room of those with fds. */
  get tight(): boolean {
    return this.#underWay > 0 && this.#unread.crowded;
  }

  /**
   * Takes credit for so many fds of one answer; settle() gives back what was not sent.
   * @returns Undefined where there is credit; else what resolves once there is, and rejects when close() is called.
   */
  take(fds: number): Promise<void> | undefined {
    if (fds === 0) return undefined;
    if (this.#closed) return Promise.reject(this.#closed);
    if (this.#waiting.length === 0 && this.#has(fds)) {
      this.#underWay += fds;
      return undefined;
    }
    return new Promise((begin, refuse) => {
      this.#waiting.push({ fds, begin, refuse });
      this.#lookLater();
    });
  }

  /** The answer is sent, or never will be. */
  settle(fds: number): void {
    this.#underWay -= fds;
    if (this.#waiting.length > 0) this.look();
    else if (this.#flight.allowance > MIN_IN_FLIGHT) this.#lookLater();
  }

  /** Lets begin what may. */
  look(): void {
    for (let next = this.#waiting[0]; next && this.#has(next.fds); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#underWay += next.fds;
      this.#delay = FIRST_LOOK_MS;
      next.begin();
    }
    if (this.#waiting.length === 0) this.#flight.lower(this.#underWay + this.#unread.unreadFds);
    this.#eased();
  }

  /** Looks again some time, whatever else happens. */
  #lookLater(): void {
    if (this.#timer || this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#delay = Math.min(this.#delay * 2, LAST_LOOK_MS);
      this.look();
      if (this.#waiting.length > 0 || this.#flight.allowance > MIN_IN_FLIGHT || this.tight) this.#lookLater();
      else this.#delay = FIRST_LOOK_MS;
    }, this.#delay);
  }

  /** See to it that tight() is looked at again. */
  watch(): void {
    this.#lookLater();
  }

  /** Refuses what waits and what still comes. */
  close(reason: VkmemError): void {
    this.#closed ??= reason;
    clearTimeout(this.#timer);
    for (const { refuse } of this.#waiting.splice(0)) refuse(reason);
  }

  #has(fds: number): boolean {
    if (this.#unread.crowded) return false;
    const wanted = this.#underWay + this.#unread.unreadFds + fds;
    if (wanted > this.#max && wanted > fds) return false;
    return wanted <= this.#flight.allowance || this.#flight.raise(wanted);
  }
}

/** Of requests whose answers always carry as many. */
const FDS_OF: Readonly<Record<string, number>> = { joinIvshmem: 1, createSignal: 2, openSignal: 2 };

/** The most fds that the answer to a request can carry. @param mayImport where not, an import is refused at once. */
export function fdsAskedBy(
  { allocate, claim, import: imported, body }: Decoded<'ClientMessage'>,
  mayImport: boolean,
): number {
  // It must not wait: it has an fd open that nobody has promised it.
  if (imported && !mayImport) return 0;
  // What may wait for others must not keep the session's credit: it is taken when the wait is over (Caller.fds).
  if (claim && claim.waitMs > 0) return 0;
  const asked = FDS_OF[body ?? ''];
  if (asked !== undefined) return asked;
  // The ticket says which.
  if (claim?.ticket && claim.kinds.length === 0) return MAX_MESSAGE_FDS;
  const kinds = allocate?.grantKinds ?? claim?.kinds ?? imported?.grantKinds ?? [];
  const withFds = new Set(kinds.filter((kind) => kind !== 'KIND_RDMA_ADDRESS'));
  return Math.min(withFds.size, MAX_MESSAGE_FDS);
}
