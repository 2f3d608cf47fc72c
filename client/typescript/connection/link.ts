/**
 * Link: a session and its connection to the daemon, with reconnection.
 *
 * When a connection ends without close(), the link connects to the same path again, and resumes the session
 * if the daemon still has it (`restored`). Requests without an answer are then sent again where that is safe
 * (retry.ts). All others fail with UNAVAILABLE, whose metadata report whether the daemon may have served
 * them. Requests wait for `reconnectMs`. If the session has memory or signals, the link tries without a limit, because
 * a daemon that starts slowly ends the sessions of clients that do not reconnect. Otherwise it tries for
 * `reconnectMs`.
 *
 * If a connection is lost soon after it was opened and before any answer, the back-off continues from the one
 * before: a request that makes the daemon crash is not repeated without a delay, and not a second time.
 *
 * Each session that is not restored begins a new epoch. A request that is bound to an epoch (bound()) is not
 * sent in another one, in which the same number may be the id of another grant.
 */
import type { Decoded, HandoffRequest, OwnedFd, RequestDraft, VkmemError } from '@vkmemd/proto';
import { Backlog } from './backlog.js';
import { Backoff } from './backoff.js';
import type { ExpectedUid } from './daemon-peer.js';
import type { HandoffConnection } from './handoff.js';
import { isTransient, Reconnection, type Resumed } from './reconnection.js';
import {
  type Answer,
  afterEnd,
  type Pending,
  type Requester,
  rejectAll,
  rejectPending,
  unansweredError,
} from './request.js';
import { isRetryable, pendingOf, requestsToSend, staleError } from './retry.js';
import { type ClientEvent, type SessionInfo, sessionInfo } from './session.js';

export interface LinkOptions {
  /**
   * The path of the handoff socket; undefined if this process cannot reach it, and then the link does not
   * reconnect.
   */
  readonly path: string | undefined;
  readonly expectUid: ExpectedUid | undefined;
  /** Whether another program opened the session; it may have allocated memory in it. */
  readonly inherited: boolean;
  readonly clientName: string;
  /**
   * How long requests wait for a connection, in milliseconds; with 0 they do not wait, and the link does not
   * reconnect.
   */
  readonly reconnectMs: number;
}

/** The client of a link. */
export interface LinkOwner {
  /** The ids of the grants of an epoch that the client holds. */
  grantIds(epoch: object): bigint[];
  /** Called later, never from within a method of the link. */
  emit(event: ClientEvent): void;
}

/** The requests after which the session may own something. */
const OWNING: ReadonlySet<HandoffRequest> = new Set([
  'Allocate',
  'AllocateMany',
  'Import',
  'CreateSignal',
  'CreateSemaphore',
]);

/** After a connection that lasted longer than this, the back-off begins anew. */
const SOON_MS = 1000;

export class Link implements Requester {
  /** Resolves when the link has ended: it was closed, or it gave up reconnecting. Never rejects. */
  readonly closed: Promise<void>;
  readonly #options: LinkOptions;
  #resolveClosed = (): void => {};
  readonly #owner: LinkOwner;
  #connection: HandoffConnection;
  #session: SessionInfo;
  #epoch: object = {};
  #reconnection: Reconnection | undefined;
  #backoff: Backoff | undefined;
  /** When the current connection was opened, by performance.now(). */
  #madeAt = performance.now();
  readonly #backlog: Backlog;
  /** Whether the session may own memory or signals, even if this client holds no grant of it. */
  #owns: boolean;
  #end: VkmemError | undefined;
  #change!: Promise<void>;
  #resolveChange = (): void => {};

  /** @param connection A connection on which the daemon has answered Hello. */
  constructor(
    connection: HandoffConnection,
    welcome: Decoded<'Welcome'>,
    options: LinkOptions,
    owner: LinkOwner,
  ) {
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#options = options;
    this.#owner = owner;
    this.#session = sessionInfo(welcome, options.inherited);
    this.#backlog = new Backlog(options.reconnectMs);
    this.#owns = options.inherited;
    this.#connection = connection;
    this.#changed();
    connection.onConnectionLost((unanswered, reason) => this.#lost(unanswered, reason));
  }

  get session(): SessionInfo {
    return this.#session;
  }

  /** Identifies the session: another object after each reconnection that did not restore it. */
  get epoch(): object {
    return this.#epoch;
  }

  /** Whether the connection is lost and the link is reconnecting. */
  get away(): boolean {
    return this.#reconnection !== undefined;
  }

  /** Why the link has ended; undefined until then. */
  get end(): VkmemError | undefined {
    return this.#end;
  }

  /** Resolves after a reconnection, or when the link has ended. Never rejects. */
  changed(): Promise<void> {
    return this.#change;
  }

  /**
   * Sends a request, after a reconnection if the connection is lost.
   * @param epoch The epoch that the request is bound to (bound()).
   */
  request<R extends HandoffRequest>(
    request: R,
    fields: RequestDraft<R>,
    fds: readonly OwnedFd[] = [],
    epoch?: object,
  ): Promise<Answer<R>> {
    return new Promise<Answer<R>>((resolve, reject) => {
      const answered = (answer: Answer<R>) => {
        this.#backoff = undefined;
        resolve(answer);
      };
      const pending = pendingOf(request, fields, fds, epoch, { resolve: answered, reject });
      this.#owns ||= OWNING.has(request);
      if (this.#end) rejectPending(pending, afterEnd(this.#end));
      else if (!this.#reconnection) this.#send(pending);
      else {
        this.#backlog.add(pending);
        this.#reconnection.keepAlive();
      }
    });
  }

  /**
   * The current epoch, and a requester whose requests are bound to it: in a later epoch they fail with
   * STALE_INCARNATION.
   */
  bound(): Requester & { readonly epoch: object } {
    const epoch = this.#epoch;
    return { epoch, request: (request, fields, fds) => this.request(request, fields, fds, epoch) };
  }

  /**
   * Ends the session. Requests without an answer are rejected with `reason`. Resolves when the connection is
   * closed.
   */
  async close(reason: VkmemError): Promise<void> {
    const reconnection = this.#reconnection;
    this.#finish(reason, rejectPending);
    this.#connection.close(reason);
    await Promise.all([reconnection?.stop(reason), this.closed]);
  }

  /** Sends a request on the current connection, unless it is bound to an earlier epoch. */
  #send(pending: Pending): void {
    if (pending.epoch === undefined || pending.epoch === this.#epoch) this.#connection.send(pending);
    else rejectPending(pending, staleError());
  }

  #lost(unanswered: readonly Pending[], reason: VkmemError): void {
    if (this.#end) {
      rejectAll(unanswered, this.#end);
      return;
    }
    const { path, expectUid, clientName, reconnectMs } = this.#options;
    if (path === undefined || reconnectMs === 0 || !isTransient(reason)) {
      this.#backlog.addLost(unanswered);
      this.#giveUp(reason);
      return;
    }
    this.#connection.close(reason);
    for (const pending of unanswered) if (pending.attempts > 0) pending.losses += 1;
    this.#backlog.addLost(unanswered.filter(isRetryable));
    for (const pending of unanswered) {
      if (!isRetryable(pending)) rejectPending(pending, unansweredError(pending, reason));
    }
    const grantIds = () => this.#owner.grantIds(this.#epoch);
    const unlimited = () => this.#owns || grantIds().length > 0;
    const keepsAlive = !this.#backlog.empty || grantIds().length > 0;
    const { token } = this.#session;
    const soon = performance.now() - this.#madeAt < SOON_MS;
    this.#backoff = (soon && this.#backoff?.renewed(reconnectMs)) || new Backoff(reconnectMs);
    const reconnection = new Reconnection(
      { path, expectUid, clientName, token, reconnectMs, grantIds, unlimited },
      keepsAlive,
      this.#backoff,
    );
    this.#reconnection = reconnection;
    this.#emit(['reconnecting', reason]);
    const since = performance.now();
    reconnection.run().then(
      (resumed) => this.#resumed(resumed, performance.now() - since),
      (failure: VkmemError) => this.#giveUp(failure),
    );
  }

  #resumed({ handoff, welcome, reportedGrants }: Resumed, downMs: number): void {
    if (this.#end) {
      handoff.close(this.#end);
      return;
    }
    const { restored, incarnation } = welcome;
    this.#reconnection = undefined;
    this.#connection = handoff;
    this.#madeAt = performance.now();
    handoff.onConnectionLost((unanswered, reason) => this.#lost(unanswered, reason));
    this.#session = sessionInfo(welcome, this.#options.inherited && restored);
    if (!restored) {
      this.#epoch = {};
      this.#owns = false;
    }
    const waiting = this.#backlog.drain();
    this.#changed();
    this.#emit(['reconnected', { restored, incarnation, downMs }]);
    const sent = requestsToSend(waiting, restored, reportedGrants);
    this.#owns ||= sent.length > 0;
    for (const pending of sent) this.#send(pending);
  }

  #giveUp(reason: VkmemError): void {
    if (this.#end) return;
    this.#finish(reason, (pending) => rejectPending(pending, unansweredError(pending, reason)));
    this.#emit(['disconnected', reason]);
  }

  #finish(reason: VkmemError, reject: (pending: Pending, reason: VkmemError) => void): void {
    if (this.#end) return;
    this.#end = reason;
    this.#reconnection = undefined;
    const { lost, added } = this.#backlog.drain();
    for (const pending of [...lost, ...added]) reject(pending, reason);
    this.#connection.closed.then(this.#resolveClosed);
    this.#changed();
  }

  /** Resolves the promise of changed(), and creates the next one. */
  #changed(): void {
    this.#resolveChange();
    this.#change = new Promise((resolve) => {
      this.#resolveChange = resolve;
    });
  }

  /** Emits in a microtask, so that an exception of a listener does not reach the link. */
  #emit(event: ClientEvent): void {
    queueMicrotask(() => this.#owner.emit(event));
  }
}
