/**
 * RetryingChannel: gRPC calls and streams that outlive a restart of the daemon, within limits.
 *
 * A call is repeated if it was never sent, if the daemon refused its token because the token is from before a
 * restart, or if its answer was lost and the table of requests allows the repetition: always for a call that
 * only reads, otherwise only in the same session, after it was restored. A lost answer indicates that the
 * daemon crashed: a call that lost two answers is not repeated, and no call is made more than three times.
 *
 * While the session is reconnecting, calls wait, and then act for the resulting session. Any other call that
 * does not reach the daemon fails with UNAVAILABLE, which its metadata report. If the session is connected
 * but the control socket was never reached, calls do not wait for it, because this process may have no access
 * to it. A call waits for a place in the kernel's queue of connections as long as for an answer.
 */
import { REQUESTS, type RequestDraft, type ResponseOf, type StreamRequest, VkmemError } from '@vkmemd/proto';
import { Backoff, pause } from './backoff.js';
import type { GrpcChannel, UnaryCall } from './grpc.js';
import type { MethodShape } from './health.js';
import { DEFAULT_TIMEOUT_MS } from './hello.js';
import { DONE_BEFORE, isNotFound, isRepeatable } from './retry.js';

/** The session that calls act for, and the state of its connection (Link). */
export interface SessionRef {
  readonly session: { readonly token: string };
  /** Identifies the session: another object after each reconnection that did not restore it. */
  readonly epoch: object;
  /** Whether its connection is lost and it is reconnecting. */
  readonly away: boolean;
  /** Why the session has ended; undefined until then. */
  readonly end: VkmemError | undefined;
  /** Resolves after a reconnection, or when the session has ended. */
  changed(): Promise<void>;
}

/**
 * Milliseconds after the loss of a call within which the loss of the session's own connection is detected.
 */
const NOTICE_MS = 100;
const MAX_ATTEMPTS = 3;
const MAX_LOST_ANSWERS = 2;
/** Waits for the next turn of the event loop, in which the state of sockets is read. */
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A session of which only the token is known. It does not depend on a connection of this process. */
export function sessionRefFor(token: string): SessionRef {
  return { session: { token }, epoch: {}, away: false, end: undefined, changed: () => new Promise(() => {}) };
}

const isTokenRefused = ({ code }: VkmemError): boolean =>
  code === 'STALE_INCARNATION' || code === 'SESSION_INVALID';

interface Retry {
  readonly tokenRefused: boolean;
  /** The kernel's queue of connections was full; nothing was sent. */
  readonly queued: boolean;
  readonly waitMs: number;
}

/** The attempts of one call, or of one stream since its last value. */
class Attempts {
  /** Created at the first failure. */
  backoff: Backoff | undefined;
  readonly #forMs: number;
  /** For places in the kernel's queue of connections. */
  readonly #queueing: Backoff;
  readonly #repeatable: boolean;
  readonly #reading: boolean;
  /** The epoch in which the call was sent last. */
  #epoch: object | undefined;
  #sent = 0;
  #lostAnswers = 0;
  /** The error of the last lost answer. */
  #lost: VkmemError | undefined;

  constructor(name: UnaryCall | StreamRequest, request: unknown, forMs: number, queueMs: number) {
    this.#forMs = forMs;
    this.#queueing = new Backoff(queueMs);
    this.#repeatable = isRepeatable(name, request);
    this.#reading = REQUESTS[name].repeat === 'free';
  }

  /** Whether an answer was lost, so that the daemon may have served the request. */
  get mayBeDone(): boolean {
    return this.#lost !== undefined;
  }

  /**
   * Counts a failure.
   * @returns How to retry, with the delay in milliseconds; undefined if the failure is final.
   */
  failed(failure: VkmemError): Retry | undefined {
    if (failure.metadata.errno === 'EAGAIN') {
      const waitMs = this.#queueing.next();
      return waitMs === undefined ? undefined : { tokenRefused: false, queued: true, waitMs };
    }
    this.backoff ??= new Backoff(this.#forMs);
    const tokenRefused = isTokenRefused(failure);
    if (!tokenRefused && failure.code !== 'UNAVAILABLE') return undefined;
    const { outcome } = failure.metadata;
    if (outcome !== 'not-done') this.#sent += 1;
    if (outcome === 'unknown') {
      this.#lost = failure;
      this.#lostAnswers += 1;
      if (!this.#repeatable) return undefined;
    } else if (outcome === undefined && !tokenRefused && !this.#reading) {
      return undefined;
    }
    if (this.#sent >= MAX_ATTEMPTS || this.#lostAnswers >= MAX_LOST_ANSWERS) return undefined;
    const waitMs = this.backoff.next();
    return waitMs === undefined || this.#forMs === 0 ? undefined : { tokenRefused, queued: false, waitMs };
  }

  /**
   * Called before each attempt.
   * @throws VkmemError the error of the lost answer, if the request may have been served in a session other
   *   than the current one.
   */
  beginIn(ref: SessionRef | undefined): void {
    if (!this.#reading && this.#lost && ref?.epoch !== this.#epoch) throw this.errorOf(this.#lost);
    this.#epoch = ref?.epoch;
  }

  /**
   * The error that the call ends with: the failure, unless an earlier attempt may have been served and the
   * failure does not show that.
   */
  errorOf(failure: unknown): unknown {
    const lost = this.#lost;
    if (!lost || !(failure instanceof VkmemError)) return failure;
    const hides = !this.#reading && (isTokenRefused(failure) || failure.metadata.outcome === 'not-done');
    if (failure !== lost && !hides) return failure;
    const attempts = String(this.#sent);
    return new VkmemError(lost.code, lost.reason, { ...lost.metadata, attempts }, lost);
  }
}

export class RetryingChannel {
  readonly #channel: GrpcChannel;
  readonly #sessionRef: SessionRef | undefined;
  readonly #reconnectMs: number;
  readonly #closing = new AbortController();
  #reached = false;

  /** @param reconnectMs How long a call may be repeated, in milliseconds; with 0 it is not repeated. */
  constructor(channel: GrpcChannel, sessionRef: SessionRef | undefined, reconnectMs: number) {
    this.#channel = channel;
    this.#sessionRef = sessionRef;
    this.#reconnectMs = reconnectMs;
  }

  /**
   * Makes a call.
   * @param timeoutMs The limit of each attempt, in milliseconds.
   * @throws VkmemError as GrpcChannel.call().
   */
  async call<M extends UnaryCall>(
    name: M,
    request: RequestDraft<M>,
    timeoutMs?: number,
  ): Promise<ResponseOf<M>> {
    const attempts = new Attempts(name, request, this.#reconnectMs, timeoutMs ?? DEFAULT_TIMEOUT_MS);
    for (;;) {
      await this.#connected(attempts);
      attempts.beginIn(this.#sessionRef);
      const token = this.#sessionRef?.session.token;
      try {
        const answer = await this.#channel.call(name, request, token, timeoutMs);
        this.#reached = true;
        return answer;
      } catch (failure) {
        const before = DONE_BEFORE.get(name);
        if (before && attempts.mayBeDone && isNotFound(failure)) {
          return { ...before } as unknown as ResponseOf<M>;
        }
        if (!(await this.#retries(failure, token, attempts))) throw attempts.errorOf(failure);
      }
    }
  }

  /**
   * Makes a call of a method of any service, once.
   * @throws VkmemError as GrpcChannel.call().
   */
  callAs<Q, A>(definition: MethodShape<Q, A>, request: Q, timeoutMs?: number): Promise<A> {
    return this.#channel.callAs(definition, request, this.#sessionRef?.session.token, timeoutMs);
  }

  /**
   * Returns the answers of a stream. A stream of states continues after a restart of the daemon. A stream of
   * events ends, because events may have been missed.
   * @throws VkmemError as GrpcChannel.watch().
   */
  async *watch<M extends StreamRequest>(
    name: M,
    request: RequestDraft<M>,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<ResponseOf<M>, void, undefined> {
    const begin = () => new Attempts(name, request, this.#reconnectMs, DEFAULT_TIMEOUT_MS);
    let attempts = begin();
    for (let begun = false; ; ) {
      await this.#connected(attempts, signal);
      const token = this.#sessionRef?.session.token;
      try {
        for await (const answer of this.#channel.watch(name, request, token, signal)) {
          this.#reached = true;
          begun = true;
          attempts = begin();
          yield answer;
        }
        return;
      } catch (failure) {
        const missed = begun && REQUESTS[name].repeat !== 'free';
        if (missed && !this.#channel.closed) throw eventsMissed(failure);
        if (!(await this.#retries(failure, token, attempts, signal))) throw failure;
      }
      if (signal?.aborted) return;
    }
  }

  close(): Promise<void> {
    this.#closing.abort();
    return this.#channel.close();
  }

  /**
   * Waits while the session is reconnecting.
   * @throws VkmemError UNAVAILABLE if that takes too long.
   */
  async #connected(attempts: Attempts, signal?: AbortSignal): Promise<void> {
    const ref = this.#sessionRef;
    const done = () => !ref?.away || this.#closing.signal.aborted || signal?.aborted;
    if (done()) return;
    await pause(attempts.backoff?.left ?? this.#reconnectMs, [this.#closing.signal, signal], ref?.changed());
    if (done()) return;
    const metadata = { retryable: 'true', outcome: 'not-done' };
    const late = new VkmemError('UNAVAILABLE', 'The daemon was not reached again in time.', metadata);
    throw attempts.errorOf(late);
  }

  /**
   * Waits before the next attempt.
   * @returns Whether to make it.
   */
  async #retries(
    failure: unknown,
    token: string | undefined,
    attempts: Attempts,
    signal?: AbortSignal,
  ): Promise<boolean> {
    if (!(failure instanceof VkmemError) || this.#channel.closed) return false;
    const next = attempts.failed(failure);
    if (!next) return false;
    if (next.queued) {
      await pause(next.waitMs, [this.#closing.signal, signal]);
      return true;
    }
    const ref = this.#sessionRef;
    if (ref && !ref.away && ref.session.token === token) {
      // The end of the session's own connection may not have been detected yet.
      await pause(NOTICE_MS, [this.#closing.signal, signal], ref.changed());
      await nextTurn();
    }
    if (this.#closing.signal.aborted || signal?.aborted) return true;
    if (ref?.end) return false;
    if (ref && (ref.away || ref.session.token !== token)) return true;
    if (next.tokenRefused || failure.metadata.retryable === undefined || !this.#reached) return false;
    await pause(next.waitMs, [this.#closing.signal, signal]);
    return true;
  }
}

/** The error that ends a stream of events. */
function eventsMissed(failure: unknown): unknown {
  if (!(failure instanceof VkmemError) || failure.code !== 'UNAVAILABLE') return failure;
  const reason = `${failure.reason} Events may have been missed: start a new watch with \`existing\`.`;
  return new VkmemError(failure.code, reason, { ...failure.metadata, retryable: 'true' }, failure);
}
