/**
 * SteadyChannel: calls and streams that outlast a restart of the daemon, within bounds.
 *
 * A call is asked again where that is harmless: it only asks, it never left this process, or the daemon refused it for a
 * token of before its restart. While the session's connection is being made again calls wait for that, and then act for
 * the session that came of it. Any other that finds nobody ends with UNAVAILABLE, whose metadata say so. A socket that
 * was never reached, while the session is there, is not waited for: it may not be visible here.
 */
import { VkmemError } from '@vkmemd/proto';
import { Backoff, pause } from './backoff.js';
import type { GrpcChannel } from './grpc.js';
import type { MethodShape } from './health.js';
import { type Answers, isRead, type Method, type Requests, type Streaming, type Unary } from './methods.js';

/** The session that calls act for, and its connection (Link). */
export interface SessionRef {
  readonly session: { readonly token: string };
  /** Whether its connection is lost and being made again. */
  readonly away: boolean;
  /** Why there is no session any more. */
  readonly end: VkmemError | undefined;
  /** Resolves when the connection is there again, or the session is over. */
  changed(): Promise<void>;
}

/** How long the end of the session's connection may come after that of a call. */
const NOTICE_MS = 100;
/** What lies unread in a socket is seen in the next turn of the event loop, however long the one before took. */
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A session that ends by its own, and not with a connection of this process. */
export function sessionRefFor(token: string): SessionRef {
  return { session: { token }, away: false, end: undefined, changed: () => new Promise(() => {}) };
}

export class RetryingChannel {
  readonly #channel: GrpcChannel;
  readonly #acting: SessionRef | undefined;
  readonly #reconnectMs: number;
  readonly #closing = new AbortController();
  #reached = false;

  /** @param reconnectMs how long a call may be asked again; 0 for not at all. */
  constructor(channel: GrpcChannel, acting: SessionRef | undefined, reconnectMs: number) {
    this.#channel = channel;
    this.#acting = acting;
    this.#reconnectMs = reconnectMs;
  }

  /** @param timeoutMs of each time that it is asked. @throws VkmemError as GrpcChannel.call(). */
  async call<M extends Unary>(method: M, request: Requests[M], timeoutMs?: number): Promise<Answers[M]> {
    let backoff: Backoff | undefined;
    for (;;) {
      await this.#present(backoff);
      const token = this.#acting?.session.token;
      try {
        const answer = await this.#channel.call(method, request, token, timeoutMs);
        this.#reached = true;
        return answer;
      } catch (failure) {
        backoff ??= new Backoff(this.#reconnectMs);
        if (!(await this.#mayAgain(method, failure, token, backoff))) throw failure;
      }
    }
  }

  /** Of whatever service, once. @throws VkmemError as GrpcChannel.call(). */
  callAs<Q, A>(definition: MethodShape<Q, A>, request: Q, timeoutMs?: number): Promise<A> {
    return this.#channel.callAs(definition, request, this.#acting?.session.token, timeoutMs);
  }

  /**
   * What a stream brings. That of states goes on after a restart; that of events ends, since some may be missed.
   * @throws VkmemError as GrpcChannel.watch().
   */
  async *watch<M extends Streaming>(
    method: M,
    request: Requests[M],
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Answers[M], void, undefined> {
    let backoff: Backoff | undefined;
    for (let begun = false; ; ) {
      await this.#present(backoff, signal);
      const token = this.#acting?.session.token;
      try {
        for await (const answer of this.#channel.watch(method, request, token, signal)) {
          this.#reached = true;
          begun = true;
          backoff = undefined;
          yield answer;
        }
        return;
      } catch (failure) {
        const missed = begun && method === 'WatchAllocations';
        if (missed && !this.#channel.closed) throw missing(failure);
        backoff ??= new Backoff(this.#reconnectMs);
        if (!(await this.#mayAgain(method, failure, token, backoff, signal))) throw failure;
      }
      if (signal?.aborted) return;
    }
  }

  close(): Promise<void> {
    this.#closing.abort();
    return this.#channel.close();
  }

  /** Waits while the session's connection is being made again. @throws VkmemError UNAVAILABLE where it takes too long. */
  async #present(backoff: Backoff | undefined, signal?: AbortSignal): Promise<void> {
    const acting = this.#acting;
    if (!acting?.away || this.#closing.signal.aborted || signal?.aborted) return;
    await pause(backoff?.left ?? this.#reconnectMs, [this.#closing.signal, signal], acting.changed());
    if (!acting.away || this.#closing.signal.aborted || signal?.aborted) return;
    const told = { retryable: 'true', outcome: 'not-done' };
    throw new VkmemError('UNAVAILABLE', 'The daemon was not reached again in time.', told);
  }

  /** Waits as long as it is good to, and says whether to ask again. */
  async #mayAgain(
    method: Method,
    failure: unknown,
    token: string | undefined,
    backoff: Backoff,
    signal?: AbortSignal,
  ): Promise<boolean> {
    if (!(failure instanceof VkmemError) || this.#channel.closed) return false;
    const { code, metadata } = failure;
    const refused = code === 'STALE_INCARNATION' || code === 'SESSION_INVALID';
    const harmless = refused || isRead(method) || method === 'WatchBudget' || metadata.outcome === 'not-done';
    if (!harmless || (code !== 'UNAVAILABLE' && !refused)) return false;
    const wait = backoff.next();
    if (wait === undefined || this.#reconnectMs === 0) return false;
    const acting = this.#acting;
    if (acting && !acting.away && acting.session.token === token) {
      // The session's end of it may not be known here yet.
      await pause(NOTICE_MS, [this.#closing.signal, signal], acting.changed());
      await nextTurn();
    }
    if (this.#closing.signal.aborted || signal?.aborted) return true;
    if (acting?.end) return false;
    if (acting && (acting.away || acting.session.token !== token)) return true;
    if (refused || metadata.retryable === undefined || !this.#reached) return false;
    await pause(wait, [this.#closing.signal, signal]);
    return true;
  }
}

/** The end of a stream of events. */
function missing(failure: unknown): unknown {
  if (!(failure instanceof VkmemError) || failure.code !== 'UNAVAILABLE') return failure;
  const reason = `${failure.reason} Events may have been missed: begin anew, with \`existing\`.`;
  return new VkmemError(failure.code, reason, { ...failure.metadata, retryable: 'true' }, failure);
}
