/**
 * Admission of control connections, and the rate of each one's calls.
 *
 * A connection has an fd on its user's account, and a user has a limited number of connections, operators
 * excepted. Of a connection above a limit the first call is answered with the fault, then it is closed; a
 * limited number of connections wait for that at a time, each no longer than a handshake may take. What comes
 * beyond them is closed at once: no fd is left to send the reason with.
 *
 * A call above the connection's rate is refused, with the time to wait, before anything of it is read. Calls
 * of one user begin a few at a time, over all of its connections, so that other users are served between
 * them.
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
 * Calls that begin in one turn of the event loop, over all connections of a user: each costs some handoff
 * requests.
 */
const CALLS_PER_TICK = 4;
/** For the answer to leave before the connection is closed, in milliseconds. */
const LAST_WORD_MS = 100;

/** Disposed when an accepted connection has ended, or is not served after all. */
export interface Visit extends Disposable {
  /** What its calls are refused with; undefined of a connection that is served. */
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
  /** By the address that the socket was given. */
  readonly #conversations = new Map<string, Conversation>();
  readonly #ofTenant = new Map<string, number>();
  readonly #ticks = new PerTickLimit(CALLS_PER_TICK);
  #refused = 0;

  constructor(collaborators: Collaborators) {
    this.#with = collaborators;
  }

  /** Connections that have not ended, including those that are only refused. */
  get connections(): number {
    return this.#conversations.size;
  }

  /**
   * Decides on a connection; undefined for one that must be closed at once. The caller disposes it, or
   * watch() does.
   */
  admit(identity: Identity): Visit | undefined {
    const { authority, fds } = this.#with;
    const { tenant } = identity;
    const max = authority.policy.limits.controlConnectionsOfUser;
    const connections = this.#ofTenant.get(tenant.key) ?? 0;
    try {
      if (connections >= max && !authority.isOperator(identity)) {
        throw new VkmemError('TOO_MANY_SESSIONS', `The user has ${connections} control connections.`, {
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
   * @param address under which its calls come. @param visit taken.
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

  /** Answers the calls that are refused: of a refused connection, or above the rate. */
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
  return new VkmemError('RATE_LIMITED', `The connection may send again in ${wait} ms.`, {
    retry_after_ms: String(wait),
  });
}
