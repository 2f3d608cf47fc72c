/**
 * The calls of the front: each is checked, waits for its tenant's turn, and is dispatched by the table of
 * requests, as a request of the handoff socket is.
 *
 * Nothing that the front says about a caller is believed: identity, refusal and rate are the core's, by the
 * caller's number. What a front can do is to act as one of the callers that are connected to it.
 */
import {
  asVkmemError,
  closeAll,
  costOf,
  type Decoded,
  type Draft,
  decode,
  type ErrorCode,
  encode,
  PROTOCOL_VERSION,
  REQUESTS,
  type RequestName,
  type RequestRow,
  requestRow,
  statusOf,
  VkmemError,
} from '@vkmemd/proto';
import { tooMany } from '../limits/too-many.js';
import { Turns } from '../limits/turns.js';
import { CREDIT, MAX_CALL_BYTES, PART_BYTES } from '../link/link.js';
import { Parts } from '../link/parts.js';
import type { Authority } from '../memory/authority.js';
import type { Reporter } from '../memory/reporter.js';
import type { AnyCaller, Caller } from '../memory/session/caller.js';
import type { Sessions } from '../memory/session/session.js';
import { requirePlane } from '../requests/access.js';
import { type Answered, beginRequest, type RequestEvents, reportAnswer } from '../requests/events.js';
import type { Handler, StreamHandler } from '../requests/handler.js';
import type { Handlers, StreamHandlers } from '../requests/handlers.js';
import { CallUnderWay, type SendAnswer } from './call.js';
import type { ConnectedCaller } from './caller.js';

type Call = Decoded<'Call'>;

/** Calls of one connection at a time, as gRPC's server in the front permits (SETTINGS_MAX_CONCURRENT_STREAMS). */
const MAX_OF_CALLER = 64;
/** Calls that begin in one turn of the event loop, of all tenants. */
export const CALLS_PER_TURN = 8;
/** Calls that wait for their turn: at the first number the link is not read, from the second it is again. */
const WAITING = { pause: 64, resume: 16 };
/** Maximum bytes of the answers of all calls that wait for credit; the front takes answers at once. */
const MAX_UNTAKEN_BYTES = 8 * 1024 * 1024;

interface Collaborators {
  readonly authority: Authority;
  readonly sessions: Pick<Sessions, 'byToken'>;
  readonly reporter: Reporter;
  readonly requestEvents: RequestEvents;
  readonly handlers: Handlers & StreamHandlers;
}

/** The request that a call makes. */
interface Asked {
  readonly name: RequestName;
  readonly row: RequestRow;
}

/** The link, as calls use it. */
export interface CallLink {
  readonly send: SendAnswer;
  pause(): void;
  resume(): void;
}

export class Calls {
  readonly #with: Collaborators;
  readonly #link: CallLink;
  readonly #turns = new Turns(CALLS_PER_TURN);
  readonly #underWay = new Map<bigint, CallUnderWay>();
  /** The call whose parts arrive. */
  #arriving: { readonly id: bigint; readonly first: Call; readonly parts: Parts } | undefined;
  #lastId = 0n;
  #paused = false;
  #untakenBytes = 0;
  #stopped: VkmemError | undefined;
  readonly #streams = new Set<CallUnderWay>();

  constructor(collaborators: Collaborators, link: CallLink) {
    this.#with = collaborators;
    this.#link = link;
  }

  /** The call with this id; undefined if it has been answered. */
  get(id: bigint): CallUnderWay | undefined {
    return this.#underWay.get(id);
  }

  /** Ends every open stream with the fault, and every stream that is opened later. */
  stop(fault: VkmemError): void {
    this.#stopped = fault;
    for (const call of this.#streams) call.end(fault);
  }

  /** The link is a new one: the front was started again. */
  reset(): void {
    this.#arriving = undefined;
    this.#lastId = 0n;
    this.#paused = false;
  }

  /**
   * A call has arrived, or a part of one.
   * @param callerOf finds a caller that is connected; undefined for one that has gone meanwhile.
   * @throws Error if the front breaks the protocol.
   */
  receive(id: bigint, call: Call, callerOf: (number: bigint) => ConnectedCaller | undefined): void {
    const arriving = this.#arriving ?? { id, first: call, parts: new Parts() };
    if (arriving.id !== id) throw new Error(`call ${id} began within call ${arriving.id}`);
    if (call.more && call.request.length !== PART_BYTES) throw new Error(`a part of call ${id} is short`);
    if (arriving.parts.size + call.request.length > MAX_CALL_BYTES)
      throw new Error(`call ${id} is too large`);
    const request = arriving.parts.add(call.request, call.more);
    this.#arriving = request ? undefined : arriving;
    if (!request) return;
    if (id <= this.#lastId) throw new Error(`call ${id} came after call ${this.#lastId}`);
    this.#lastId = id;
    const caller = callerOf(arriving.first.caller);
    if (caller) this.#enter(id, caller, arriving.first, request);
  }

  #enter(id: bigint, caller: ConnectedCaller, call: Call, request: Uint8Array): void {
    const asked = requestOf(call.method);
    const underWay = new CallUnderWay(id, call.timeoutMs, this.#link.send, asked && creditOf(asked.row));
    const refuse = (error: VkmemError) => underWay.fail(statusOf(error));
    if (!asked) {
      refuse(new VkmemError('METHOD_UNKNOWN', 'The method is not known to this daemon.'));
      return;
    }
    if (caller.calls.size >= MAX_OF_CALLER) {
      refuse(tooMany(`The connection has ${caller.calls.size} calls under way, which is the limit.`));
      return;
    }
    this.#underWay.set(id, underWay);
    caller.calls.add(underWay);
    const answered = this.#begin(caller, asked);
    // What is in it is counted in its turn.
    const cost = 1 + Math.floor(request.length / asked.row.cost.bytes);
    const serve = () => {
      void this.#serve(caller, underWay, asked, call, request, answered).finally(() => {
        // A later front may have used the id for a call of its own.
        if (this.#underWay.get(id) === underWay) this.#underWay.delete(id);
        caller.calls.delete(underWay);
      });
      if (this.#paused && this.#turns.size <= WAITING.resume) {
        this.#paused = false;
        this.#link.resume();
      }
    };
    this.#turns.add(caller.tenant, serve, cost);
    if (this.#turns.size < WAITING.pause || this.#paused) return;
    this.#paused = true;
    this.#link.pause();
  }

  /** Begins to measure a call. Streams last as long as their callers want, so they have no duration. */
  #begin({ plane }: ConnectedCaller, { name, row }: Asked): Answered {
    const { requestEvents: events } = this.#with;
    const reported = plane === 'CONTROL' ? 'control' : 'admin';
    const operation = row.method ?? name;
    if (row.shape !== 'stream') return beginRequest(events, reported, operation);
    return (code, asker) => reportAnswer(events, reported, operation, code, asker);
  }

  async #serve(
    from: ConnectedCaller,
    underWay: CallUnderWay,
    { name, row }: Asked,
    call: Call,
    bytes: Uint8Array,
    answered: Answered,
  ): Promise<void> {
    if (underWay.cancelled) return;
    let caller: AnyCaller | undefined;
    let code: ErrorCode | 'OK' = 'OK';
    try {
      refuseOver(from);
      caller = this.#callerOf(from, underWay, name, call);
      from.rate.take(costOf(row.request, bytes, () => row) - 1);
      const request: object = decode(row.request, bytes);
      if (row.shape === 'stream') await this.#stream(underWay, caller, name, row, request);
      else await this.#unary(underWay, caller, name, row, request);
    } catch (failure) {
      const error = asVkmemError(failure);
      if (error.code === 'INTERNAL')
        this.#with.reporter.fault(`a ${row.method ?? name} call failed${traceOf(call)}`, failure);
      // A caller that cancels its own stream is no error.
      code = row.shape === 'stream' && underWay.cancelled ? 'OK' : error.code;
      underWay.fail(statusOf(error));
    }
    answered(code, caller);
  }

  async #unary(
    underWay: CallUnderWay,
    caller: AnyCaller,
    name: RequestName,
    row: RequestRow,
    request: object,
  ): Promise<void> {
    const handler = this.#with.handlers[name as keyof Handlers] as Handler<never>;
    // A caller without an identity was admitted to open requests only.
    const answering = handler(caller as Caller, request as never, []);
    const { response, fds } = answering instanceof Promise ? await answering : answering;
    if (fds.length > 0) closeAll(fds); // the link carries none of them
    const bytes = encodeResponse(row, response);
    if (this.#untakenBytes + bytes.length > MAX_UNTAKEN_BYTES) {
      throw new VkmemError('UNAVAILABLE', `The front has not taken ${this.#untakenBytes} bytes of answers.`);
    }
    const sending = underWay.answer(bytes, true);
    if (!sending) return;
    this.#untakenBytes += bytes.length;
    try {
      await sending;
    } finally {
      this.#untakenBytes -= bytes.length;
    }
  }

  async #stream(
    underWay: CallUnderWay,
    caller: AnyCaller,
    name: RequestName,
    row: RequestRow,
    request: object,
  ): Promise<void> {
    const handler = this.#with.handlers[name as keyof StreamHandlers] as StreamHandler<never>;
    if (this.#stopped) underWay.end(this.#stopped);
    this.#streams.add(underWay);
    // In the next turn it is subscribed or has failed: a client that sees the headers misses no event after them.
    const begin = setImmediate(() => underWay.begin());
    try {
      for await (const answer of handler(caller as Caller, request as never, underWay.signal)) {
        clearImmediate(begin);
        await underWay.answer(encodeResponse(row, answer), false);
      }
    } finally {
      clearImmediate(begin);
      this.#streams.delete(underWay);
    }
  }

  /**
   * @throws VkmemError NOT_PERMITTED if the caller may not send the request on its plane; SESSION_INVALID,
   *   STALE_INCARNATION, VERSION_UNSUPPORTED.
   */
  #callerOf(
    { identity, plane }: ConnectedCaller,
    underWay: CallUnderWay,
    name: RequestName,
    { sessionToken, protocolVersion }: Call,
  ): AnyCaller {
    const { authority, sessions } = this.#with;
    const unknown = { identity: undefined, session: undefined, gone: () => underWay.cancelled };
    const peer: AnyCaller = identity ? { ...unknown, identity } : unknown;
    requirePlane(authority, plane === 'CONTROL' ? 'control' : 'admin', peer, name);
    if (protocolVersion !== '' && protocolVersion !== String(PROTOCOL_VERSION)) {
      const reason = `The client's protocol version is ${protocolVersion}, the daemon's ${PROTOCOL_VERSION}.`;
      throw new VkmemError('VERSION_UNSUPPORTED', reason, { supported: String(PROTOCOL_VERSION) });
    }
    if (!identity || sessionToken === '') return peer;
    const session = sessions.byToken(sessionToken, identity);
    return { identity, session, gone: () => underWay.cancelled || session.ended };
  }
}

/** @returns undefined for a name that the table of requests does not have. */
function requestOf(method: string): Asked | undefined {
  if (!Object.hasOwn(REQUESTS, method)) return undefined;
  const name = method as RequestName;
  return { name, row: requestRow(name) };
}

/** The id of the caller's trace, for the log; what is no W3C trace context is left out. */
function traceOf({ traceparent }: Call): string {
  const [, trace] = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(traceparent) ?? [];
  return trace === undefined ? '' : ` (trace ${trace})`;
}

/** A stream of states has one answer on its way: the next one is then the latest state. */
const creditOf = ({ shape, repeat }: RequestRow): number =>
  shape === 'stream' && repeat === 'free' ? 1 : CREDIT;

/** @throws VkmemError the refusal of a connection that is not served; RATE_LIMITED. */
function refuseOver({ refusal, rate }: ConnectedCaller): void {
  if (refusal) throw refusal;
  const wait = rate.tryTake();
  if (wait === 0) return;
  throw new VkmemError('RATE_LIMITED', `The connection may send its next call in ${wait} ms.`, {
    retry_after_ms: String(wait),
  });
}

const encodeResponse = (row: RequestRow, response: object | Uint8Array): Uint8Array =>
  response instanceof Uint8Array ? response : encode(row.response, response as Draft<never>);
