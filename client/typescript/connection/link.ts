/**
 * Link: a session and its connection to the daemon, which it makes again.
 *
 * When a connection ends without close(), the link connects to the same path again and resumes the session
 * where the daemon still has it (`restored`). Requests without an answer are then sent again where that is
 * safe (retry.ts); all others fail with UNAVAILABLE, which says whether they can have been done. Requests
 * wait for `reconnectMs`. For a session that has memory the link tries without a limit: a daemon that starts
 * slowly frees the memory of clients that do not reconnect. For one without memory it tries for
 * `reconnectMs`.
 *
 * A connection that is lost soon after it was made, with nothing answered on it, continues the back-off of
 * the one before: a request that ends the daemon is not sent to it again and again without a pause.
 *
 * Each session that is not restored begins a new epoch. A request bound to an epoch (bound()) is not sent in
 * another one, where the same number may be the id of another grant.
 */
import {
  type Decoded,
  type HandoffRequest,
  type OwnedFd,
  type RequestDraft,
  VkmemError,
} from '@vkmemd/proto';
import { Backlog } from './backlog.js';
import { Backoff } from './backoff.js';
import type { HandoffConnection } from './handoff.js';
import { isTransient, Reconnection, type Resumed } from './reconnection.js';
import {
  type Answer,
  type Pending,
  type Requester,
  rejectAll,
  rejectPending,
  unansweredError,
} from './request.js';
import { isRetryable, pendingOf, requestsToSend, staleError } from './retry.js';
import { type ClientEvent, type SessionInfo, sessionInfo } from './session.js';

export interface LinkOptions {
  /** Of the handoff socket; undefined where it is not visible here, and the connection is not made again. */
  readonly path: string | undefined;
  /** Whether the session was begun by another program, which may have made memory in it. */
  readonly inherited: boolean;
  readonly clientName: string;
  /** How long requests wait for a connection; 0: not at all, and the link does not reconnect. */
  readonly reconnectMs: number;
}

/** The client of a link. */
export interface LinkOwner {
  /** The ids of the grants that are held of an epoch. */
  grantIds(epoch: object): bigint[];
  /** Called later, never from within a method of the link. */
  emit(event: ClientEvent): void;
}

/** A connection that lived longer than this begins the back-off anew. */
const SOON_MS = 1000;

export class Link implements Requester {
  /** Resolves when the link has ended: closed, or given up. Never rejects. */
  readonly closed: Promise<void>;
  readonly #options: LinkOptions;
  #resolveClosed = (): void => {};
  readonly #owner: LinkOwner;
  #connection: HandoffConnection;
  #session: SessionInfo;
  #epoch: object = {};
  #reconnection: Reconnection | undefined;
  #backoff: Backoff | undefined;
  /** When the present connection was made, by performance.now(). */
  #madeAt = performance.now();
  readonly #backlog: Backlog;
  /** Whether the session may own memory, whether or not it is held here. */
  #owns: boolean;
  #end: VkmemError | undefined;
  #change!: Promise<void>;
  #resolveChange = (): void => {};

  /** @param connection on which the daemon has answered Hello. */
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

  /** Is another object in each session that was not restored. */
  get epoch(): object {
    return this.#epoch;
  }

  /** Whether the connection is lost and being made again. */
  get away(): boolean {
    return this.#reconnection !== undefined;
  }

  /** Why no request can be made any more; undefined until the link has ended. */
  get end(): VkmemError | undefined {
    return this.#end;
  }

  /** Resolves when the connection was made again, or the link has ended. Never rejects. */
  changed(): Promise<void> {
    return this.#change;
  }

  /** @param epoch that the request belongs to, by bound(). */
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
      this.#owns ||= request === 'Allocate' || request === 'Import';
      if (this.#end) rejectPending(pending, new VkmemError('UNAVAILABLE', this.#end.reason, {}, this.#end));
      else if (!this.#reconnection) this.#send(pending);
      else {
        this.#backlog.add(pending);
        this.#reconnection.keepAlive();
      }
    });
  }

  /**
   * The present epoch, and a requester whose requests belong to it: they fail with STALE_INCARNATION in a
   * later one.
   */
  bound(): Requester & { readonly epoch: object } {
    const epoch = this.#epoch;
    return { epoch, request: (request, fields, fds) => this.request(request, fields, fds, epoch) };
  }

  /**
   * Ends the session; requests without an answer are rejected with `reason`. Resolves when nothing is open
   * any more.
   */
  async close(reason: VkmemError): Promise<void> {
    const reconnection = this.#reconnection;
    this.#finish(reason, rejectPending);
    this.#connection.close(reason);
    await Promise.all([reconnection?.stop(reason), this.closed]);
  }

  /** Sends it on the present connection, unless it belongs to an earlier session. */
  #send(pending: Pending): void {
    if (pending.epoch === undefined || pending.epoch === this.#epoch) this.#connection.send(pending);
    else rejectPending(pending, staleError());
  }

  #lost(unanswered: readonly Pending[], reason: VkmemError): void {
    if (this.#end) {
      rejectAll(unanswered, this.#end);
      return;
    }
    const { path, clientName, reconnectMs } = this.#options;
    if (path === undefined || reconnectMs === 0 || !isTransient(reason)) {
      this.#backlog.addLost(unanswered);
      this.#giveUp(reason);
      return;
    }
    this.#connection.close(reason);
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
      { path, clientName, token, reconnectMs, grantIds, unlimited },
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

  /** Resolves what changed() returned, and begins the next. */
  #changed(): void {
    this.#resolveChange();
    this.#change = new Promise((resolve) => {
      this.#resolveChange = resolve;
    });
  }

  /** In a microtask, so that an error of a listener does not reach the link. */
  #emit(event: ClientEvent): void {
    queueMicrotask(() => this.#owner.emit(event));
  }
}
