/**
 * The connections of the admin plane, whose they are, how many there may be, and how long each may take.
 *
 * Who is at the other end goes with the socket: the kernel's word at accept for a Unix socket, nobody for
 * TCP. No header can change it. A connection has an fd on its user's account. There are MAX in all, of which
 * the last quarter is for users who have few (limits/shares.ts); an operator may have MAX_OF_OPERATOR,
 * anybody else MAX_OF_OTHER, and everything that comes by TCP counts as one more user. Where one cannot be
 * had, its first request is answered with the fault and it is closed; what comes beyond so many of those is
 * closed at once.
 *
 * Each connection has one deadline at a time: for the first request to be there whole, for an answer to be
 * made and taken, and for the next request. Bytes do not extend it, so who sends or reads a byte a second is
 * cut off as who does nothing.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { asVkmemError, DisposableStack, disposable, VkmemError } from '@vkmemd/proto';
import type { FdBudget } from '../limits/fd-budget.js';
import { PerTickLimit } from '../limits/per-tick-limit.js';
import { Shares } from '../limits/shares.js';
import { TokenBucket } from '../limits/token-bucket.js';
import type { Authority } from '../memory/authority.js';
import type { Identity } from '../policy/identity.js';
import type { Tenant } from '../policy/tenant.js';

const MAX = 64;
const MAX_OF_OPERATOR = 16;
const MAX_OF_OTHER = 4;
/** Requests a second of one connection, and how many at once. */
const RATE = { perSecond: 100, burst: 100 };
/** Of all of its connections, in one turn of the event loop. */
const REQUESTS_OF_USER = 4;
/** For an answer to be made and taken, and from it to the next request, in milliseconds. */
const ANSWER_MS = 30_000;
export const IDLE_MS = 30_000;
/** Whose account connections by TCP are on. */
const NETWORK: Tenant = { key: 'network', uid: undefined, name: 'network' };

export interface AdminConnection {
  /** Undefined for TCP. */
  readonly identity: Identity | undefined;
  /** What every request is answered with, where the connection is only there to be refused. */
  readonly refusal: VkmemError | undefined;
  readonly rate: TokenBucket;
}

/** A connection, with what ends it. */
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

  /** Connections that there are now, those that are only refused among them. */
  get size(): number {
    return this.#open.size;
  }

  /**
   * Takes a connection in. @param open makes the socket; where it throws, everything is given back.
   * @returns the socket; undefined where there is no room even to refuse it, and `open` was not called.
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
    this.#open.set(socket, { identity, refusal, rate, underWay: 0, timer });
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
   * Resolves when its user has its turn: some requests in one of the event loop, whatever its connections
   * are.
   */
  turn({ identity }: AdminConnection): Promise<void> | undefined {
    return this.#ticks.take(identity?.tenant ?? NETWORK);
  }

  /** @throws Error for a socket that was not taken in here. */
  of(socket: Socket): AdminConnection {
    const visit = this.#open.get(socket);
    if (!visit) throw new Error('a request came by a connection that was not accepted here');
    return visit;
  }

  /** A request is there; from now on its answer has its time, and after the last one the next request. */
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

  /** Closes what is idle; resolves when the others have their answers, or are cut off after `graceMs`. */
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
        const reason = `There are ${limit} connections ${share === 'user' ? 'of the user' : 'in all'}.`;
        throw new VkmemError('TOO_MANY_SESSIONS', reason, { limit: String(limit), whose: share });
      }
      using undo = new DisposableStack();
      undo.use(share);
      undo.use(fds.lease(tenant, 1));
      return { place: undo.move() };
    } catch (failure) {
      // The reserve of fds is for the control plane's refusals too.
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
