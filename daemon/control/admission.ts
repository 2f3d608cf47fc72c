/**
 * Admission of control connections, and the rate of calls of each.
 *
 * A connection has an fd on its tenant's account. A tenant has a limited number of connections; operators are
 * exempt. On a connection above a limit, the first call is answered with the error, and then the connection
 * is closed. Only a limited number of connections wait for that at a time, each at most for the time limit of
 * a handshake. Further ones are closed at once, because no fd is left to send the reason with.
 *
 * A call above the connection's rate is refused, with the time to wait, before its message is read. Calls of
 * one tenant begin a few at a time, over all its connections, so that other tenants are served in between.
 */
import type { Socket } from 'node:net';
import { ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { asVkmemError, DisposableStack, disposable, VkmemError } from '@vkmemd/proto';
import type { FdBudget } from '../limits/fd-budget.js';
import { PerTickLimit } from '../limits/per-tick-limit.js';
import { TokenBucket } from '../limits/token-bucket.js';
import type { Authority } from '../memory/authority.js';
import type { Identity } from '../policy/identity.js';
import type { Tenant } from '../policy/tenant.js';
import { type RequestEvents, reportAnswer } from '../requests/events.js';
import { grpcFault } from './faults.js';

/**
 * Calls of one tenant that begin in one turn of the event loop, over all its connections. Each costs as much
 * as several handoff requests.
 */
const CALLS_PER_TICK = 4;
/** Time for the answer to be sent before the connection is closed, in milliseconds. */
const LAST_WORD_MS = 100;

/** An admitted connection. Disposed when it has ended, or cannot be served. */
export interface Visit extends Disposable {
  /** The error of all its calls; undefined if the connection is served. */
  readonly refusal: VkmemError | undefined;
}

interface Conversation {
  readonly tenant: Tenant;
  readonly socket: Socket;
  readonly rate: TokenBucket;
  readonly refusal: VkmemError | undefined;
}

interface Collaborators {
  readonly authority: Authority;
  readonly fds: FdBudget;
  readonly requestEvents: RequestEvents;
}

export class ControlAdmission {
  readonly #with: Collaborators;
  /** By the address that Callers gave the socket. */
  readonly #conversations = new Map<string, Conversation>();
  readonly #ofTenant = new Map<string, number>();
  readonly #ticks = new PerTickLimit(CALLS_PER_TICK);
  #refused = 0;

  constructor(collaborators: Collaborators) {
    this.#with = collaborators;
  }

  /** Number of open connections, including those that are only refused. */
  get connections(): number {
    return this.#conversations.size;
  }

  /**
   * Decides about a connection; returns undefined if it must be closed at once. Dispose the result, or pass
   * it to watch(), which does.
   */
  admit(identity: Identity): Visit | undefined {
    const { authority, fds } = this.#with;
    const { tenant } = identity;
    const max = authority.policy.limits.controlConnectionsOfUser;
    const connections = this.#ofTenant.get(tenant.key) ?? 0;
    try {
      if (connections >= max && !authority.isOperator(identity)) {
        const reason = `The tenant has ${connections} of at most ${max} control connections.`;
        throw new VkmemError('TOO_MANY_SESSIONS', reason, {
          limit: String(max),
          whose: 'user',
        });
      }
      const held = new DisposableStack();
      held.use(fds.lease(tenant, 1));
      this.#ofTenant.set(tenant.key, connections + 1);
      held.defer(() => this.#releaseConnection(tenant));
      return { refusal: undefined, [Symbol.dispose]: () => held.dispose() };
    } catch (failure) {
      if (this.#refused >= fds.refusals) return undefined;
      this.#refused += 1;
      const refused = disposable(() => {
        this.#refused -= 1;
      });
      return { refusal: asVkmemError(failure), [Symbol.dispose]: () => refused[Symbol.dispose]() };
    }
  }

  /**
   * Watches a connection until it is closed.
   * @param address the peer address of its calls.
   * @param visit ownership is taken.
   */
  watch(address: string, socket: Socket, { tenant }: Identity, visit: Visit): void {
    const { requestsPerSecond, requestBurst, handshakeMs } = this.#with.authority.policy.limits;
    const { refusal } = visit;
    const rate = new TokenBucket(requestsPerSecond, requestBurst);
    this.#conversations.set(address, { tenant, socket, rate, refusal });
    const timer = refusal && setTimeout(() => socket.destroy(), handshakeMs);
    socket.once('close', () => {
      clearTimeout(timer);
      this.#conversations.delete(address);
      visit[Symbol.dispose]();
    });
  }

  /** Answers the calls that are refused: those of a refused connection, and those above the rate. */
  readonly interceptor: ServerInterceptor = (_method, call) =>
    new ServerInterceptingCall(call, {
      start: (next) => {
        const conversation = this.#conversations.get(call.getPeer());
        if (!conversation) return next();
        const begin = () => {
          const fault = refusalOf(conversation);
          if (!fault) return next();
          const answer = () => {
            call.sendStatus(grpcFault(fault));
            reportAnswer(this.#with.requestEvents, 'control', 'connection', fault.code);
          };
          next({ onReceiveMetadata: answer, onReceiveMessage() {}, onReceiveHalfClose() {} });
          if (conversation.refusal) setTimeout(() => conversation.socket.destroy(), LAST_WORD_MS);
        };
        const tick = this.#ticks.take(conversation.tenant);
        if (tick) void tick.then(begin);
        else begin();
      },
    });

  #releaseConnection({ key }: Tenant): void {
    const connections = (this.#ofTenant.get(key) ?? 0) - 1;
    if (connections > 0) this.#ofTenant.set(key, connections);
    else this.#ofTenant.delete(key);
  }
}

function refusalOf({ refusal, rate }: Conversation): VkmemError | undefined {
  if (refusal) return refusal;
  const wait = rate.tryTake();
  if (wait === 0) return undefined;
  return new VkmemError('RATE_LIMITED', `The connection may send its next call in ${wait} ms.`, {
    retry_after_ms: String(wait),
  });
}
