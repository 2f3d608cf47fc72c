/**
 * Link: the session's way to the daemon, which outlives its connection.
 *
 * Where the connection ends and nobody closed it, the link makes another to the same path and has the session go on,
 * where the daemon still has it (`restored`). What was asked and not answered is then asked again, where that is harmless
 * (again.ts); all else ends with UNAVAILABLE, and says whether it can have been done. Requests wait for `reconnectMs`. A
 * session that has memory is gone back to for as long as there is hope: its daemon may take its time, and would let go of
 * what nobody comes back for. Without any, `reconnectMs` is all.
 *
 * Each session that is not restored begins another era. What belongs to one (bound()) is not asked in the next, where the
 * same number may be somebody else's grant.
 */
import { type Decoded, type Draft, type OwnedFd, VkmemError } from '@vkmemd/proto';
import { Backlog } from './backlog.js';
import type { HandoffConnection } from './handoff.js';
import { type Found, passes, Reconnection } from './reconnection.js';
import {
  type Answer,
  type Pending,
  type Request,
  type Requester,
  refuse,
  rejectAll,
  unanswered,
} from './request.js';
import { isRetryable, pendingOf, stale, toAsk } from './retry.js';
import { type ClientEvent, type SessionInfo, sessionInfo } from './session.js';

export interface LinkOptions {
  /** Of the handoff socket; undefined where it cannot be seen, and the connection is not made again. */
  readonly path: string | undefined;
  /** Whether the session was begun by another program, which may have made memory in it. */
  readonly inherited: boolean;
  readonly clientName: string;
  /** How long requests wait for the daemon to be there again; 0 for not at all, and then it is not looked for. */
  readonly reconnectMs: number;
}

/** Whom the link serves. */
export interface LinkOwner {
  /** Grants. */
  held(epoch: object): bigint[];
  /** Is told later, never from within a method of the link. */
  tell(event: ClientEvent): void;
}

export class Link implements Requester {
  /** Resolves when it is over for good. Never rejects. */
  readonly closed: Promise<void>;
  readonly #options: LinkOptions;
  #over = (): void => {};
  #owner: LinkOwner = { held: () => [], tell: () => {} };
  #connection: HandoffConnection;
  #session: SessionInfo;
  #epoch: object = {};
  #absence: Reconnection | undefined;
  readonly #backlog: Backlog;
  /** Whether the session may own memory, whoever holds it. */
  #owns: boolean;
  #end: VkmemError | undefined;
  #change!: Promise<void>;
  #turn = (): void => {};

  /** @param connection which the daemon has greeted. */
  constructor(connection: HandoffConnection, welcome: Decoded<'Welcome'>, options: LinkOptions) {
    this.closed = new Promise((resolve) => {
      this.#over = resolve;
    });
    this.#options = options;
    this.#session = sessionInfo(welcome, options.inherited);
    this.#backlog = new Backlog(options.reconnectMs);
    this.#owns = options.inherited;
    this.#connection = connection;
    this.#newChange();
    connection.onConnectionLost((left, reason) => this.#lost(left, reason));
  }

  get session(): SessionInfo {
    return this.#session;
  }

  /** Whether the connection is lost and being made again. */
  get away(): boolean {
    return this.#absence !== undefined;
  }

  /** Why no request can be made any more; undefined while there is hope. */
  get end(): VkmemError | undefined {
    return this.#end;
  }

  /** Resolves when the connection is there again, or it is over. Never rejects. */
  changed(): Promise<void> {
    return this.#change;
  }

  /** To be called before the event loop turns. */
  serve(owner: LinkOwner): void {
    this.#owner = owner;
  }

  /** @param epoch that it belongs to, by bound(). */
  request<R extends Request>(
    request: R,
    fields: NonNullable<Draft<'ClientMessage'>[R]>,
    fds: readonly OwnedFd[] = [],
    epoch?: object,
  ): Promise<Answer<R>> {
    return new Promise<Answer<R>>((resolve, reject) => {
      const pending = pendingOf(request, fields, fds, epoch, { resolve, reject });
      this.#owns ||= request === 'allocate' || request === 'import';
      if (this.#end) refuse(pending, new VkmemError('UNAVAILABLE', this.#end.reason, {}, this.#end));
      else if (!this.#absence) this.#put(pending);
      else {
        this.#backlog.add(pending);
        this.#absence.keepAlive();
      }
    });
  }

  /** This era, and who asks for what belongs to it: STALE_INCARNATION in a later one. */
  bound(): Requester & { readonly epoch: object } {
    const epoch = this.#epoch;
    return { epoch, request: (request, fields, fds) => this.request(request, fields, fds, epoch) };
  }

  /** Ends the session; requests without an answer are rejected with `reason`. Resolves when nothing is open any more. */
  async close(reason: VkmemError): Promise<void> {
    const absence = this.#absence;
    this.#finish(reason, refuse);
    this.#connection.close(reason);
    await Promise.all([absence?.stop(reason), this.closed]);
  }

  /** Asks it on the connection that there is, unless it belongs to a session that is not. */
  #put(pending: Pending): void {
    if (pending.epoch === undefined || pending.epoch === this.#epoch) this.#connection.ask(pending);
    else refuse(pending, stale());
  }

  #lost(left: readonly Pending[], reason: VkmemError): void {
    if (this.#end) {
      rejectAll(left, this.#end);
      return;
    }
    const { path, clientName, reconnectMs } = this.#options;
    if (path === undefined || reconnectMs === 0 || !passes(reason)) {
      this.#backlog.leave(left);
      this.#giveUp(reason);
      return;
    }
    this.#connection.close(reason);
    this.#backlog.leave(left.filter(isRetryable));
    for (const pending of left) if (!isRetryable(pending)) refuse(pending, unanswered(pending, reason));
    const held = () => this.#owner.held(this.#epoch);
    const goesOn = () => this.#owns || held().length > 0;
    const keepsAlive = !this.#backlog.empty || held().length > 0;
    const absence = new Reconnection(
      { path, clientName, token: this.#session.token, reconnectMs, held, goesOn },
      keepsAlive,
    );
    this.#absence = absence;
    this.#tell(['reconnecting', reason]);
    const since = performance.now();
    absence.run().then(
      (found) => this.#found(found, performance.now() - since),
      (failure: VkmemError) => this.#giveUp(failure),
    );
  }

  #found({ handoff, welcome, told }: Found, downMs: number): void {
    if (this.#end) {
      handoff.close(this.#end);
      return;
    }
    const { restored, incarnation } = welcome;
    this.#absence = undefined;
    this.#connection = handoff;
    handoff.onConnectionLost((left, reason) => this.#lost(left, reason));
    this.#session = sessionInfo(welcome, this.#options.inherited && restored);
    if (!restored) {
      this.#epoch = {};
      this.#owns = false;
    }
    const backlog = this.#backlog.take();
    this.#newChange();
    this.#tell(['reconnected', { restored, incarnation, downMs }]);
    const asked = toAsk(backlog, restored, told);
    this.#owns ||= asked.length > 0;
    for (const pending of asked) this.#put(pending);
  }

  #giveUp(reason: VkmemError): void {
    if (this.#end) return;
    this.#finish(reason, (pending) => refuse(pending, unanswered(pending, reason)));
    this.#tell(['disconnected', reason]);
  }

  #finish(reason: VkmemError, settle: (pending: Pending, reason: VkmemError) => void): void {
    if (this.#end) return;
    this.#end = reason;
    this.#absence = undefined;
    for (const pending of Object.values(this.#backlog.take()).flat()) settle(pending, reason);
    this.#connection.closed.then(this.#over);
    this.#newChange();
  }

  /** Whoever waited for a change is woken; the next is another one. */
  #newChange(): void {
    this.#turn();
    this.#change = new Promise((resolve) => {
      this.#turn = resolve;
    });
  }

  /** What a listener throws is its own. */
  #tell(event: ClientEvent): void {
    queueMicrotask(() => this.#owner.tell(event));
  }
}
