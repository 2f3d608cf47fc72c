/**
 * Link: the session's way to the daemon, which outlives its connection.
 *
 * Where the connection ends and nobody closed it, the link makes another to the same path and has the session go on,
 * where the daemon still has it (`restored`). What was asked and not answered is then asked again, if that is harmless
 * (an Allocate has its id, of a Free NOT_FOUND means done) or it was never sent; of a Release nothing is left to do where
 * the greeting no longer told of the grant. Another session is asked what was never sent and belongs to none. All else ends with UNAVAILABLE, and says whether it can have been done.
 *
 * Each session that is not restored begins another era. What belongs to one (bound()) is not asked in the next, where the
 * same number may be somebody else's grant.
 */
import { type Decoded, type Draft, type OwnedFd, VkmemError } from '@vkmemd/proto';
import { type ClientEvent, type SessionInfo, sessionInfo } from '../session.js';
import { anyonesToAsk, askable, disown, pendingOf, stale, takenBack } from './again.js';
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

export interface LinkOptions {
  /** Of the handoff socket; undefined for an inherited session, whose connection is not made again. */
  readonly path: string | undefined;
  readonly clientName: string;
  /** How long to try to reach the daemon again; 0 for not at all. */
  readonly reconnectMs: number;
}

/** Whom the link serves. */
export interface LinkOwner {
  /** The grants of an era that are held. */
  held(era: object): bigint[];
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
  #era: object = {};
  #absence: Reconnection | undefined;
  /** Asked before the connection was lost, and to be asked again. */
  #left: Pending[] = [];
  /** Asked since. */
  #waiting: Pending[] = [];
  #end: VkmemError | undefined;
  #change!: Promise<void>;
  #turn = (): void => {};

  /** @param connection which the daemon has greeted. */
  constructor(connection: HandoffConnection, welcome: Decoded<'Welcome'>, options: LinkOptions) {
    this.closed = new Promise((resolve) => {
      this.#over = resolve;
    });
    this.#options = options;
    this.#session = sessionInfo(welcome, options.path === undefined);
    this.#connection = connection;
    this.#newChange();
    connection.bequeath((left, reason) => this.#lost(left, reason));
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

  /** @param era that it belongs to, by bound(). */
  request<R extends Request>(
    request: R,
    fields: NonNullable<Draft<'ClientMessage'>[R]>,
    fds: readonly OwnedFd[] = [],
    era?: object,
  ): Promise<Answer<R>> {
    return new Promise<Answer<R>>((resolve, reject) => {
      const pending = pendingOf(request, fields, fds, era, { resolve, reject });
      if (this.#end) refuse(pending, new VkmemError('UNAVAILABLE', this.#end.reason, {}, this.#end));
      else if (!this.#absence) this.#put(pending);
      else {
        this.#waiting.push(pending);
        this.#absence.keepAlive();
      }
    });
  }

  /** This era, and who asks for what belongs to it: STALE_INCARNATION in a later one. */
  bound(): Requester & { readonly era: object } {
    const era = this.#era;
    return { era, request: (request, fields, fds) => this.request(request, fields, fds, era) };
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
    if (pending.era === undefined || pending.era === this.#era) this.#connection.ask(pending);
    else refuse(pending, stale());
  }

  #lost(left: readonly Pending[], reason: VkmemError): void {
    if (this.#end) {
      rejectAll(left, this.#end);
      return;
    }
    const { path, clientName, reconnectMs } = this.#options;
    if (path === undefined || reconnectMs === 0 || !passes(reason)) {
      this.#left.push(...left);
      this.#giveUp(reason);
      return;
    }
    this.#connection.close(reason);
    for (const pending of left) {
      if (askable(pending)) this.#left.push(pending);
      else refuse(pending, unanswered(pending, reason));
    }
    const held = () => this.#owner.held(this.#era);
    const keepsAlive = this.#left.length > 0 || held().length > 0;
    const absence = new Reconnection(
      { path, clientName, token: this.#session.token, reconnectMs, held },
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
    handoff.bequeath((left, reason) => this.#lost(left, reason));
    this.#session = sessionInfo(welcome, false);
    if (!restored) this.#era = {};
    const [left, waiting] = [this.#left.splice(0), this.#waiting.splice(0)];
    this.#newChange();
    this.#tell(['reconnected', { restored, incarnation, downMs }]);
    const again = restored ? left : left.filter(anyonesToAsk);
    for (const pending of left) if (!again.includes(pending)) disown(pending);
    for (const pending of [...again, ...waiting]) {
      if (restored && takenBack(pending, told)) pending.resolve({ message: {}, fds: [] } as never);
      else this.#put(pending);
    }
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
    for (const pending of [...this.#left.splice(0), ...this.#waiting.splice(0)]) settle(pending, reason);
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
