/**
 * The gate of one connection: decides when its next message is read, and when the request in it begins.
 *
 * Every message enters the gate once, in this order: the tick (requests of one tenant in one turn of the
 * event loop), the rate (of the connection), the frame (the protocol's rules on sequence, body and fds), the
 * room (requests under way), the credit (fds in flight to the client). Entering returns an entry, which is
 * disposed once the request is answered.
 *
 * Only the gate pauses and resumes the connection. Reading stops while the tenant has reached its limit per
 * tick, while the connection has used up its rate, while the maximum of requests is under way, and while the
 * client leaves half of its socket unread, or a quarter with an answer with fds under way: so its answers find room
 * there, and hardly any is queued in this process. What is not read waits in
 * the client's socket: nothing is lost, and the client is not notified. A paused connection does not report a
 * hang-up until it is resumed. Each of these reasons ends, and the exit of the client's process is reported
 * all the same.
 *
 * Credit covers fds from the request that asks for them until the kernel reports that they were received
 * (Connection.unreadFds). A request whose answer may carry fds begins when there is credit for them, in the
 * order in which such requests arrived; other requests do not wait. So a client that does not read has
 * waiting requests, for which no memory was allocated and no fd is open. No such request begins while much in
 * the socket is unread either, so that its answer finds room there: an answer with fds is never queued in
 * this process. An answer may carry more fds than the client may have in flight: such a request begins once
 * no other fds are in flight. An answer in parts has a credit of its own, MAX_MANY, and takes it for each part, as
 * much as there is.
 *
 * The kernel does not notify when a client reads, and a socket with room in it is always writable. So credit
 * is checked when the client sends something, when an answer was sent, and by a poll.
 */
import {
  type Connection,
  type Decoded,
  type HandoffRequest,
  MAX_MANY,
  MAX_MESSAGE_FDS,
  Poll,
  REQUEST_OF_BODY,
  REQUESTS,
  VkmemError,
} from '@vkmemd/proto';
import { MIN_IN_FLIGHT } from '../limits/in-flight-fds.js';
import { TokenBucket } from '../limits/token-bucket.js';
import type { Credit } from '../memory/session/caller.js';
import type { Place } from './admission.js';

type Message = Decoded<'ClientMessage'>;
/** Why reading is paused. */
type Reason = 'tick' | 'rate' | 'under way' | 'unread' | 'end';

const LOOK_AT_CREDIT = { firstMs: 1, maxMs: 250 };

/** The part of a connection that the gate uses. */
export type GatedConnection = Pick<Connection, 'pause' | 'resume' | 'unreadFds' | 'crowded' | 'nearlyFull'>;

/** A request under way. Dispose it once its answer is sent, or never will be. */
export interface Entry extends Disposable {
  readonly name: HandoffRequest;
  readonly row: (typeof REQUESTS)[HandoffRequest];
  /**
   * Undefined if the request may begin at once. Otherwise resolves when it may, and rejects with the gate's
   * reason if the gate closes first.
   */
  readonly ready: Promise<void> | undefined;
  /** Takes credit for this many more fds of the answer; the result is as of `ready`. */
  more(fds: number): Promise<void> | undefined;
  /** Takes credit for a part of the answer (Caller.takePart); it is not released with the entry. */
  part(fds: number): Promise<Credit>;
}

/** The credit that a request needs to begin. */
interface Wanted {
  readonly most: number;
  readonly least: number;
  /** How many fds may be in flight with it, unless it alone has more. */
  readonly limit: number;
}

interface WaitingRequest extends Wanted {
  /** @param fds the credit that it has, from least to most. */
  begin(fds: number): void;
  refuse(reason: VkmemError): void;
}

export class Gate implements Disposable {
  readonly #connection: GatedConnection;
  readonly #place: Place;
  readonly #rate: TokenBucket;
  /** Why reading is paused; empty while the connection is read. */
  readonly #paused = new Set<Reason>();
  /** Requests that wait for credit, in order of arrival. */
  readonly #waiting: WaitingRequest[] = [];
  readonly #poll: Poll = new Poll(LOOK_AT_CREDIT, () => {
    this.#begin();
    // The poll ends unless #begin() has restarted it, or the room for answers with fds is still short
    // (#tight).
    return !this.#poll.waiting && !this.#tight;
  });
  #rateTimer: NodeJS.Timeout | undefined;
  #lastSequence = 0n;
  #greeted = false;
  #underWay = 0;
  #fdsUnderWay = 0;
  #closed: (() => VkmemError) | undefined;
  #idle: (() => void) | undefined;

  constructor(connection: GatedConnection, place: Place) {
    const { requestsPerSecond, requestBurst } = place.limits;
    this.#connection = connection;
    this.#place = place;
    this.#rate = new TokenBucket(requestsPerSecond, requestBurst);
  }

  /** Number of requests that are not answered yet. */
  get underWay(): number {
    return this.#underWay;
  }

  /** Requests that wait for credit. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Processes a received message.
   * @param fds how many fds were received with it.
   * @param cost units of the rate (costOf()).
   * @param permitted false if the request will be refused at once: it takes no credit, so that its fds, which
   *   are not leased, are closed without a wait.
   * @throws VkmemError PROTOCOL_ERROR if the message breaks the protocol.
   */
  enter(message: Message, fds: number, cost = 1, permitted = true): Entry {
    this.#limitReading(cost);
    const name = this.#checkFrame(message, fds);
    if (this.#waiting.length > 0) this.#begin();
    const asked = permitted ? fdsAskedBy(name, message[REQUESTS[name].body]) : 0;
    this.#underWay += 1;
    if (this.#underWay >= this.#place.limits.messagesInFlight) this.#pause('under way');
    return this.#entry(name, asked);
  }

  /**
   * Stops reading, and refuses the waiting requests.
   * @returns resolves when every request under way is answered.
   */
  async finish(reason: VkmemError): Promise<void> {
    this.#pause('end');
    this.#close(() => reason);
    if (this.#underWay === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
  }

  /** Refuses the waiting requests: the connection was closed. */
  [Symbol.dispose](): void {
    this.#close(() => new VkmemError('UNAVAILABLE', 'The client has disconnected.'));
  }

  /** @param reason called for each refused request: thousands of connections without one may end at once. */
  #close(reason: () => VkmemError): void {
    this.#closed ??= reason;
    clearTimeout(this.#rateTimer);
    this.#poll[Symbol.dispose]();
    for (const { refuse } of this.#waiting.splice(0)) refuse(reason());
  }

  /** Counts the message against tick and rate. If a limit is reached, the next message is read later. */
  #limitReading(cost: number): void {
    const tick = this.#place.ticks.take(this.#place.tenant, cost);
    if (tick) {
      this.#pause('tick');
      void tick.then(() => this.#resume('tick'));
    }
    const waitMs = this.#rate.take(cost);
    if (waitMs === 0 || this.#paused.has('rate')) return;
    this.#pause('rate');
    this.#rateTimer = setTimeout(() => this.#resume('rate'), waitMs);
  }

  /** Checks the frame of a message. @returns the request's name. @throws VkmemError PROTOCOL_ERROR. */
  #checkFrame({ sequence, body, fdCount, hello }: Message, came: number): HandoffRequest {
    const name = REQUEST_OF_BODY.get(body);
    const fdsIn = name ? REQUESTS[name].fdsIn : 0;
    if (fdCount !== came || came !== fdsIn) {
      const reason = `fd_count is ${fdCount}, ${came} arrived; ${body ?? 'a message'} carries ${fdsIn}.`;
      throw new VkmemError('PROTOCOL_ERROR', reason);
    }
    // A process that inherited the connection starts its sequence again.
    const resumes = this.#greeted && hello?.resume === true;
    const proves = this.#greeted && !resumes && (hello?.proof.byteLength ?? 0) > 0;
    const before = resumes ? 0n : this.#lastSequence;
    if (sequence <= before) {
      throw new VkmemError(
        'PROTOCOL_ERROR',
        `Sequence ${sequence} is not greater than the previous one, ${before}.`,
      );
    }
    this.#lastSequence = sequence;
    if (!name) throw new VkmemError('PROTOCOL_ERROR', 'The body of the message is not known to this daemon.');
    if (name === 'Hello') {
      if (this.#greeted && !resumes && !proves)
        throw new VkmemError('PROTOCOL_ERROR', 'Hello was sent twice.');
      this.#greeted = true;
    } else if (!this.#greeted && REQUESTS[name].who !== 'connect') {
      throw new VkmemError('PROTOCOL_ERROR', `${body} was sent before Hello.`);
    }
    return name;
  }

  #entry(name: HandoffRequest, fds: number): Entry {
    let taken = 0;
    const more = (count: number): Promise<void> | undefined => {
      if (count === 0) return undefined;
      const wanted = { most: count, least: count, limit: this.#place.limits.fdsInFlight };
      const credit = this.#take(wanted, (got) => {
        taken += got;
      });
      return credit === undefined ? undefined : credit.then(() => {});
    };
    const part = async (count: number): Promise<Credit> => {
      const wanted = { most: count, least: Math.min(count, MAX_MESSAGE_FDS), limit: MAX_MANY };
      let fds = 0;
      await this.#take(wanted, (got) => {
        fds = got;
      });
      let held = true;
      const release = (): void => {
        if (held) this.#releaseFds(fds);
        held = false;
      };
      return { fds, [Symbol.dispose]: release };
    };
    let entered = true;
    const release = (): void => {
      if (entered) this.#release(taken);
      entered = false;
    };
    return { name, row: REQUESTS[name], ready: more(fds), more, part, [Symbol.dispose]: release };
  }

  /**
   * Takes credit in the order of the requests.
   * @param got called with it, in the turn in which it is taken.
   * @returns undefined if it is taken at once. Rejects with the gate's reason once the gate is closed.
   */
  #take(wanted: Wanted, got: (fds: number) => void): Promise<void> | undefined {
    if (this.#closed) return Promise.reject(this.#closed());
    const begun = (fds: number): void => {
      this.#fdsUnderWay += fds;
      got(fds);
    };
    const now = this.#waiting.length === 0 ? this.#creditFor(wanted) : undefined;
    if (now !== undefined) {
      begun(now);
      return undefined;
    }
    return new Promise((resolve, refuse) => {
      const begin = (fds: number): void => {
        begun(fds);
        resolve();
      };
      this.#waiting.push({ ...wanted, begin, refuse });
      this.#poll.wait();
    });
  }

  /** Ends an answered request. @param fds all that it took credit for. */
  #release(fds: number): void {
    this.#underWay -= 1;
    this.#releaseFds(fds);
    if (this.#underWay < this.#place.limits.messagesInFlight) this.#resume('under way');
    if (this.#underWay === 0) this.#idle?.();
  }

  /** The fds were sent, and are in flight from now on; or will not be. */
  #releaseFds(fds: number): void {
    this.#fdsUnderWay -= fds;
    if (fds > 0) {
      if (this.#waiting.length > 0) this.#begin();
      else if (this.#place.inFlight.allowance > MIN_IN_FLIGHT) this.#poll.wait();
    }
    if (this.#tight) {
      this.#pause('unread');
      this.#poll.wait();
    }
  }

  /**
   * Whether no more requests should be read now: their answers could use up the room of those with fds, or would be
   * queued in this process.
   */
  get #tight(): boolean {
    return this.#fdsUnderWay > 0 ? this.#connection.crowded : this.#connection.nearlyFull;
  }

  /** The credit that there is for a request: from least to most; undefined if it has to wait. */
  #creditFor({ most, least, limit }: Wanted): number | undefined {
    if (this.#connection.crowded) return undefined;
    const { inFlight } = this.#place;
    const inUse = this.#fdsUnderWay + this.#connection.unreadFds;
    const wanted = inUse === 0 ? most : Math.min(most, limit - inUse);
    if (wanted < least) return undefined;
    const fits = inUse + wanted <= inFlight.allowance || inFlight.raise(inUse + wanted, inUse + least);
    return fits ? Math.min(wanted, inFlight.allowance - inUse) : undefined;
  }

  /**
   * Begins the requests that have credit, returns unneeded allowance, and resumes reading if the client has
   * read.
   */
  #begin(): void {
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      const credit = this.#creditFor(next);
      if (credit === undefined) break;
      this.#waiting.shift();
      this.#poll.reset();
      next.begin(credit);
    }
    const { inFlight } = this.#place;
    if (this.#waiting.length === 0) inFlight.lower(this.#fdsUnderWay + this.#connection.unreadFds);
    if (!this.#tight) this.#resume('unread');
    else if (this.#paused.has('unread')) this.#poll.wait();
    if (this.#waiting.length > 0 || inFlight.allowance > MIN_IN_FLIGHT) this.#poll.wait();
  }

  #pause(reason: Reason): void {
    if (this.#paused.size === 0) this.#connection.pause();
    this.#paused.add(reason);
  }

  #resume(reason: Reason): void {
    if (this.#paused.delete(reason) && this.#paused.size === 0) this.#connection.resume();
  }
}

/**
 * How many fds the answer to a request may carry: the number in its row of the table, or fewer if the request
 * asks for fewer. A claim that waits needs none before its wait has ended.
 */
function fdsAskedBy(name: HandoffRequest, request: unknown): number {
  const { fdsOut, shape } = REQUESTS[name];
  // Each part takes its own.
  if (shape === 'parts') return 0;
  const { kinds, grantKinds, ticket, waitMs } = request as Partial<
    Pick<Decoded<'ClaimRequest'>, 'kinds' | 'ticket' | 'waitMs'> & Decoded<'AllocateRequest'>
  >;
  const asked = name === 'Claim' ? kinds : grantKinds;
  if (fdsOut !== MAX_MESSAGE_FDS || asked === undefined) return fdsOut;
  if (name === 'Claim' && (waitMs ?? 0) > 0) return 0;
  // The kinds are those of the ticket.
  if (name === 'Claim' && ticket && asked.length === 0) return fdsOut;
  const withFds = new Set(asked.filter((kind) => kind !== 'KIND_RDMA_ADDRESS'));
  return Math.min(withFds.size, fdsOut);
}
