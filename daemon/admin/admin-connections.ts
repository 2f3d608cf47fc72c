/**
 * The connections of the admin plane: their peers, their maximum number, and their time limits.
 *
 * The identity of a connection belongs to its socket: what the kernel reported at accept for a Unix socket,
 * none for TCP. No header can change it. A connection has an fd on its tenant's account. There are at most
 * MAX connections, of which the last quarter is for tenants that have few (limits/shares.ts). An operator may
 * have MAX_OF_OPERATOR, any other user MAX_OF_OTHER; all TCP connections together have MAX_OF_OPERATOR.
 * On a connection above a limit, the first request is answered with the error, and the connection is closed.
 * Beyond a number of those, further ones are closed at once.
 *
 * Each connection has one deadline at a time: for the whole first request to arrive, for an answer to be made
 * and sent, and for the next request. Received or sent bytes do not extend it, so a client that sends or
 * reads a byte a second is disconnected as one that does nothing.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { asVkmemError, DisposableStack, disposable, VkmemError } from '@vkmemd/proto';
import type { FdBudget } from '../limits/fd-budget.js';
import { PerTickLimit } from '../limits/per-tick-limit.js';
import { Shares } from '../limits/shares.js';
import { TokenBucket } from '../limits/token-bucket.js';
import type { Authority } from '../memory/authority.js';
import type { AnyCaller } from '../memory/session/caller.js';
import type { Identity } from '../policy/identity.js';
import type { Tenant } from '../policy/tenant.js';

const MAX = 64;
const MAX_OF_OPERATOR = 16;
const MAX_OF_OTHER = 4;
/** Rate of requests of one connection. */
const RATE = { perSecond: 100, burst: 100 };
/** Requests of one tenant in one turn of the event loop, over all its connections. */
const REQUESTS_OF_USER = 4;
/** Time limits for an answer to be made and sent, and from then until the next request, in milliseconds. */
const ANSWER_MS = 30_000;
export const IDLE_MS = 30_000;
/** The tenant that TCP connections are charged to. */
const NETWORK: Tenant = { key: 'network', uid: undefined, name: 'network' };

export interface AdminConnection {
  /** Without an identity on TCP. */
  readonly caller: AnyCaller;
  /** The error of every request; undefined if the connection is served. */
  readonly refusal: VkmemError | undefined;
  readonly rate: TokenBucket;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who sent the request; set before its page is run. */
    admin: AdminConnection | undefined;
  }
}

/** @throws Error before the request's connection is known. */
export function callerOf({ admin }: { readonly admin: AdminConnection | undefined }): AnyCaller {
  if (!admin) throw new Error('the connection of the request is not known yet');
  return admin.caller;
}

/** A connection, with its deadline. */
interface OpenConnection extends AdminConnection {
  underWay: number;
  timer: NodeJS.Timeout;
}

interface Collaborators {
  readonly authority: Authority;
  readonly fds: FdBudget;
}

export class AdminConnections {
  readonly #with: Collaborators;
  readonly #shares = new Shares(() => MAX);
  readonly #open = new Map<Socket, OpenConnection>();
  readonly #ticks = new PerTickLimit(REQUESTS_OF_USER);
  #refused = 0;
  #stopping: (() => void) | undefined;

  constructor(collaborators: Collaborators) {
    this.#with = collaborators;
  }

  /** Number of open connections, including those that are only refused. */
  get size(): number {
    return this.#open.size;
  }

  /**
   * Adds a connection.
   * @param open makes the socket. If it throws, everything is released.
   * @returns the socket; undefined if there is no room even for a refusal; then `open` was not called.
   */
  enter(identity: Identity | undefined, open: () => Socket): Socket | undefined {
    const { place, refusal } = this.#admit(identity);
    if (!place) return undefined;
    let socket: Socket;
    try {
      socket = open();
    } catch (failure) {
      place[Symbol.dispose]();
      throw failure;
    }
    const { handshakeMs } = this.#with.authority.policy.limits;
    const rate = new TokenBucket(RATE.perSecond, RATE.burst);
    const timer = setTimeout(() => socket.destroy(), handshakeMs);
    const gone = () => socket.destroyed;
    const caller = identity ? { identity, session: undefined, gone } : { identity, session: undefined, gone };
    this.#open.set(socket, { caller, refusal, rate, underWay: 0, timer });
    // A hang-up is not an error; 'close' follows.
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      clearTimeout(this.#open.get(socket)?.timer);
      this.#open.delete(socket);
      place[Symbol.dispose]();
      if (this.#open.size === 0) this.#stopping?.();
    });
    return socket;
  }

  /**
   * Resolves when it is the turn of the connection's tenant, whose requests per turn of the event loop are
   * limited; undefined if it may continue at once.
   */
  turn({ caller: { identity } }: AdminConnection): Promise<void> | undefined {
    return this.#ticks.take(identity?.tenant ?? NETWORK);
  }

  /** @throws Error for a socket that was not added here. */
  of(socket: Socket): AdminConnection {
    const visit = this.#open.get(socket);
    if (!visit) throw new Error('a request arrived on a connection that was not accepted here');
    return visit;
  }

  /**
   * Begins a request: sets the deadline of its answer, and after the last answer that of the next request.
   */
  begin({ socket }: IncomingMessage, response: ServerResponse): void {
    const visit = this.#open.get(socket);
    if (!visit) return;
    visit.underWay += 1;
    this.#within(socket, visit, ANSWER_MS);
    if (this.#stopping || visit.refusal) response.setHeader('connection', 'close');
    response.once('close', () => {
      visit.underWay -= 1;
      if (visit.underWay > 0 || !this.#open.has(socket)) return;
      if (this.#stopping) socket.destroySoon();
      else this.#within(socket, visit, IDLE_MS);
    });
  }

  /** Closes idle connections; resolves when the others have their answers, or are cut off after `graceMs`. */
  async close(graceMs: number): Promise<void> {
    const gone = new Promise<void>((resolve) => {
      this.#stopping = resolve;
    });
    for (const [socket, visit] of this.#open) {
      if (visit.underWay === 0) socket.destroy();
      else this.#within(socket, visit, graceMs);
    }
    if (this.#open.size > 0) await gone;
  }

  #within(socket: Socket, visit: OpenConnection, ms: number): void {
    clearTimeout(visit.timer);
    visit.timer = setTimeout(() => socket.destroy(), ms);
  }

  #admit(identity: Identity | undefined): { place?: Disposable; refusal?: VkmemError } {
    const { fds, authority } = this.#with;
    const tenant = identity?.tenant ?? NETWORK;
    const max = identity && !authority.isOperator(identity) ? MAX_OF_OTHER : MAX_OF_OPERATOR;
    try {
      const share = this.#shares.of(tenant) < max ? this.#shares.take(tenant, 1) : 'user';
      if (typeof share === 'string') {
        const limit = share === 'user' ? Math.min(max, this.#shares.maxOf(tenant)) : MAX;
        const whose = share === 'user' ? `Tenant ${tenant.name}` : 'The admin plane';
        const reason = `${whose} has reached its limit of ${limit} admin connections.`;
        throw new VkmemError('TOO_MANY_SESSIONS', reason, { limit: String(limit), whose: share });
      }
      using undo = new DisposableStack();
      undo.use(share);
      undo.use(fds.lease(tenant, 1));
      return { place: undo.move() };
    } catch (failure) {
      // The control plane uses the reserve of fds for refusals too.
      if (this.#refused >= Math.max(1, Math.floor(fds.refusals / 2))) return {};
      this.#refused += 1;
      return {
        refusal: asVkmemError(failure),
        place: disposable(() => {
          this.#refused -= 1;
        }),
      };
    }
  }
}
