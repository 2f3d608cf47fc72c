/**
 * The gate of one connection: whether its next message is read, and when the request in it begins.
 *
 * Every message enters the gate once, in this order: the tick (requests of one user in one turn of the event
 * loop), the rate (of the connection), the frame (what the protocol says of sequence, body and fds), the room
 * (requests under way), the credit (fds on their way to the client). Entering gives an entry, to be disposed
 * once the request is answered.
 *
 * The gate alone pauses and resumes the connection. Nothing is read while the user has reached its limit per
 * tick, the connection has used up its rate, as many requests as permitted are under way, or the client
 * leaves so many answers unread that one with fds under way might find no room. What is not read waits in the
 * client's socket: nothing is lost, and nobody is notified. A paused connection also hides a hang-up until it
 * is resumed; each of these reasons passes, and the end of the client's process is seen all the same.
 *
 * Credit covers fds from the request that asks for them until the kernel says that they were received
 * (Connection.unreadFds). A request whose answer may carry fds begins when there is credit for them, in the
 * order in which such requests came; others do not wait. So a client that does not read leaves requests
 * waiting, for which no memory was allocated and no fd is open. With much unread in the socket no such
 * request begins either, so that its answer finds room there: no answer with fds is ever queued in this
 * process. An answer may carry more fds than the client may have on their way: such a request begins once
 * nothing else is.
 *
 * The kernel gives no notice when a client reads, and a socket with room in it is writable all along: credit
 * is looked at when the client sends something, when an answer has left, and by a poll.
 */
import {
  type Connection,
  type Decoded,
  type HandoffRequest,
  MAX_MESSAGE_FDS,
  Poll,
  REQUEST_OF_BODY,
  REQUESTS,
  VkmemError,
} from '@vkmemd/proto';
import { MIN_IN_FLIGHT } from '../limits/in-flight-fds.js';
import { TokenBucket } from '../limits/token-bucket.js';
import type { Place } from './admission.js';

type Message = Decoded<'ClientMessage'>;
/** Why nothing is read. */
type Reason = 'tick' | 'rate' | 'under way' | 'unread' | 'end';

const LOOK_AT_CREDIT = { firstMs: 1, maxMs: 250 };

/** What the gate uses of a connection. */
export type GatedConnection = Pick<Connection, 'pause' | 'resume' | 'unreadFds' | 'crowded'>;

/** A request that is under way; dispose it once its answer is sent, or never will be. */
export interface Entry extends Disposable {
  /** Which request it is. */
  readonly name: HandoffRequest;
  readonly row: (typeof REQUESTS)[HandoffRequest];
  /**
   * Undefined where the request may begin at once; else resolves when it may, and rejects with the reason
   * where the gate closes before.
   */
  readonly ready: Promise<void> | undefined;
  /** Takes credit for so many more fds of the answer; as `ready`. */
  more(fds: number): Promise<void> | undefined;
}

interface WaitingRequest {
  readonly fds: number;
  begin(): void;
  refuse(reason: VkmemError): void;
}

export class Gate implements Disposable {
  readonly #connection: GatedConnection;
  readonly #place: Place;
  readonly #rate: TokenBucket;
  /** Why nothing is read; empty where the connection is read. */
  readonly #paused = new Set<Reason>();
  /** Requests that wait for credit, in their order. */
  readonly #waiting: WaitingRequest[] = [];
  readonly #poll: Poll = new Poll(LOOK_AT_CREDIT, () => {
    this.#begin();
    // Otherwise it waits again already, or is to do so for what is under way.
    return !this.#poll.waiting && !this.#tight;
  });
  #rateTimer: NodeJS.Timeout | undefined;
  #lastSequence = 0n;
  #greeted = false;
  #underWay = 0;
  #fdsUnderWay = 0;
  #closed: VkmemError | undefined;
  #idle: (() => void) | undefined;

  constructor(connection: GatedConnection, place: Place) {
    const { requestsPerSecond, requestBurst } = place.limits;
    this.#connection = connection;
    this.#place = place;
    this.#rate = new TokenBucket(requestsPerSecond, requestBurst);
  }

  /** Requests that are not answered yet. */
  get underWay(): number {
    return this.#underWay;
  }

  /** Requests that wait for credit. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * A message came.
   * @param fds how many came with it.
   * @param permitted false where the request will be refused at once: it asks for no credit, so that the fds
   *   that came with it, which nothing has leased, are closed without a wait.
   * @throws VkmemError PROTOCOL_ERROR where it breaks the protocol.
   */
  enter(message: Message, fds: number, permitted = true): Entry {
    this.#limitReading();
    const name = this.#checkFrame(message, fds);
    if (this.#waiting.length > 0) this.#begin();
    const asked = permitted ? fdsAskedBy(name, message[REQUESTS[name].body]) : 0;
    this.#underWay += 1;
    if (this.#underWay >= this.#place.limits.messagesInFlight) this.#pause('under way');
    return this.#entry(name, asked);
  }

  /**
   * Reads nothing more and refuses what waits for the client.
   * @returns What resolves when every request under way is answered.
   */
  async finish(reason: VkmemError): Promise<void> {
    this.#pause('end');
    this.#close(reason);
    if (this.#underWay === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
  }

  /** The connection is gone. */
  [Symbol.dispose](): void {
    this.#close(new VkmemError('UNAVAILABLE', 'The caller is gone.'));
  }

  #close(reason: VkmemError): void {
    this.#closed ??= reason;
    clearTimeout(this.#rateTimer);
    this.#poll[Symbol.dispose]();
    for (const { refuse } of this.#waiting.splice(0)) refuse(reason);
  }

  /** Counts the message against tick and rate. Where a limit is reached, the next one is read later. */
  #limitReading(): void {
    const tick = this.#place.ticks.take(this.#place.tenant);
    if (tick) {
      this.#pause('tick');
      void tick.then(() => this.#resume('tick'));
    }
    const waitMs = this.#rate.take();
    if (waitMs === 0 || this.#paused.has('rate')) return;
    this.#pause('rate');
    this.#rateTimer = setTimeout(() => this.#resume('rate'), waitMs);
  }

  /** @returns the request that the message is. @throws VkmemError PROTOCOL_ERROR. */
  #checkFrame({ sequence, body, fdCount, hello }: Message, came: number): HandoffRequest {
    const name = REQUEST_OF_BODY.get(body);
    const fdsIn = name ? REQUESTS[name].fdsIn : 0;
    if (fdCount !== came || came !== fdsIn) {
      const reason = `fd_count is ${fdCount} and ${came} came; ${body ?? 'a message'} carries ${fdsIn}.`;
      throw new VkmemError('PROTOCOL_ERROR', reason);
    }
    // A process that inherited the connection counts from the beginning.
    const resumes = this.#greeted && hello?.resume === true;
    const before = resumes ? 0n : this.#lastSequence;
    if (sequence <= before) {
      throw new VkmemError('PROTOCOL_ERROR', `Sequence ${sequence} follows ${before}.`);
    }
    this.#lastSequence = sequence;
    if (!name) throw new VkmemError('PROTOCOL_ERROR', 'The message has no body that this daemon knows.');
    if (!resumes && (name === 'Hello') === this.#greeted) {
      const reason = this.#greeted ? 'Hello came twice.' : `${body} came before Hello.`;
      throw new VkmemError('PROTOCOL_ERROR', reason);
    }
    this.#greeted = true;
    return name;
  }

  #entry(name: HandoffRequest, fds: number): Entry {
    let taken = 0;
    const more = (count: number): Promise<void> | undefined => {
      if (count === 0) return undefined;
      if (this.#closed) return Promise.reject(this.#closed);
      if (this.#waiting.length === 0 && this.#hasCredit(count)) {
        this.#fdsUnderWay += count;
        taken += count;
        return undefined;
      }
      return new Promise((resolve, refuse) => {
        const begin = (): void => {
          this.#fdsUnderWay += count;
          taken += count;
          resolve();
        };
        this.#waiting.push({ fds: count, begin, refuse });
        this.#poll.wait();
      });
    };
    let entered = true;
    const release = (): void => {
      if (entered) this.#release(taken);
      entered = false;
    };
    return { name, row: REQUESTS[name], ready: more(fds), more, [Symbol.dispose]: release };
  }

  /** A request is answered. @param fds all that it had credit for. */
  #release(fds: number): void {
    this.#underWay -= 1;
    this.#fdsUnderWay -= fds;
    if (fds > 0) {
      if (this.#waiting.length > 0) this.#begin();
      else if (this.#place.inFlight.allowance > MIN_IN_FLIGHT) this.#poll.wait();
    }
    if (this.#tight) {
      this.#pause('unread');
      this.#poll.wait();
    }
    if (this.#underWay < this.#place.limits.messagesInFlight) this.#resume('under way');
    if (this.#underWay === 0) this.#idle?.();
  }

  /** Whether no more answers should be made now: the next ones could take the room of those with fds. */
  get #tight(): boolean {
    return this.#fdsUnderWay > 0 && this.#connection.crowded;
  }

  #hasCredit(fds: number): boolean {
    if (this.#connection.crowded) return false;
    const { limits, inFlight } = this.#place;
    const wanted = this.#fdsUnderWay + this.#connection.unreadFds + fds;
    if (wanted > limits.fdsInFlight && wanted > fds) return false;
    return wanted <= inFlight.allowance || inFlight.raise(wanted);
  }

  /** Begins what has credit, gives back what is not needed, and reads on where the client has read. */
  #begin(): void {
    for (let next = this.#waiting[0]; next && this.#hasCredit(next.fds); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#poll.reset();
      next.begin();
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
 * How many fds the answer to a request may carry: what its row of the table says, or fewer where the request
 * asks for fewer. A claim that waits needs none before its wait is over.
 */
function fdsAskedBy(name: HandoffRequest, request: unknown): number {
  const { fdsOut } = REQUESTS[name];
  const { kinds, grantKinds, ticket, waitMs } = request as Partial<
    Pick<Decoded<'ClaimRequest'>, 'kinds' | 'ticket' | 'waitMs'> & Decoded<'AllocateRequest'>
  >;
  const asked = name === 'Claim' ? kinds : grantKinds;
  if (fdsOut !== MAX_MESSAGE_FDS || asked === undefined) return fdsOut;
  if (name === 'Claim' && (waitMs ?? 0) > 0) return 0;
  // The ticket says which.
  if (name === 'Claim' && ticket && asked.length === 0) return fdsOut;
  const withFds = new Set(asked.filter((kind) => kind !== 'KIND_RDMA_ADDRESS'));
  return Math.min(withFds.size, fdsOut);
}
