/**
 * Admission of control connections, and the rate of each one's calls.
 *
 * A connection has an fd, on its user's account, and a user so many connections, operators excepted. Where one cannot be
 * had the first call is answered with the fault and the connection is closed; so many connections may wait for that at
 * a time, and for no longer than a handshake may take. What comes beyond them is closed at once: there is nothing left
 * to say it with.
 *
 * A call above the connection's rate is refused, with the time to wait, before anything of it is read. Calls of one user
 * begin some at a time, whatever their connections are, so that all the others have their turn between them.
 */
import type { Socket } from 'node:net';
import { ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { asVkmemError, VkmemError } from '@vkmemd/proto';
import { PerTickLimit } from '../limits/per-tick-limit.js';
import type { GiveBack } from '../limits/shares.js';
import { TokenBucket } from '../limits/token-bucket.js';
import type { Domain } from '../memory/domain.js';
import type { Identity } from '../policy/identity.js';
import { publishRequest } from '../requests/events.js';
import { toldBy } from './faults.js';

/** Of all of its connections, in one turn of the event loop: a call costs as much as some requests of a session. */
const CALLS_OF_USER = 4;
/** For the answer to leave before the connection is closed, in milliseconds. */
const LAST_WORD_MS = 100;

/** What becomes of an accepted connection: it is served, or refused with the fault. */
export type Verdict = { readonly giveBack: GiveBack } | { readonly refusal: VkmemError };

interface Conversation {
  readonly uid: number;
  readonly socket: Socket;
  readonly rate: TokenBucket;
  readonly refusal: VkmemError | undefined;
}

export class ControlAdmission {
  readonly #domain: Domain;
  /** By the address that the socket was given. */
  readonly #conversations = new Map<string, Conversation>();
  readonly #ofUser = new Map<number, number>();
  readonly #rounds = new PerTickLimit(CALLS_OF_USER);
  #refused = 0;

  constructor(domain: Domain) {
    this.#domain = domain;
  }

  /** Connections that there are now, those that are only refused among them. */
  get connections(): number {
    return this.#conversations.size;
  }

  /** Decides on a connection; undefined for one that must be closed at once. end() or watch() follows otherwise. */
  admit(identity: Identity): Verdict | undefined {
    const { authority, fds } = this.#domain;
    const { uid } = identity;
    const max = authority.policy.limits.controlConnectionsOfUser;
    const connections = this.#ofUser.get(uid) ?? 0;
    try {
      if (connections >= max && !authority.isOperator(identity)) {
        throw new VkmemError('TOO_MANY_SESSIONS', `The user has ${connections} control connections.`, {
          limit: String(max),
          whose: 'user',
        });
      }
      const giveBack = fds.lease(uid, 1);
      this.#ofUser.set(uid, connections + 1);
      return {
        giveBack: () => {
          giveBack();
          this.#count(uid);
        },
      };
    } catch (failure) {
      if (this.#refused >= fds.refusals) return undefined;
      this.#refused += 1;
      return { refusal: asVkmemError(failure) };
    }
  }

  /** The connection is not served after all. */
  abandon(verdict: Verdict): void {
    if ('giveBack' in verdict) verdict.giveBack();
    else this.#refused -= 1;
  }

  /** Watches over a connection until it is closed. @param address under which its calls come. */
  watch(address: string, socket: Socket, { uid }: Identity, verdict: Verdict): void {
    const { requestsPerSecond, requestBurst, handshakeMs } = this.#domain.authority.policy.limits;
    const refusal = 'refusal' in verdict ? verdict.refusal : undefined;
    const rate = new TokenBucket(requestsPerSecond, requestBurst);
    this.#conversations.set(address, { uid, socket, rate, refusal });
    const timer = refusal && setTimeout(() => socket.destroy(), handshakeMs);
    socket.once('close', () => {
      clearTimeout(timer);
      this.#conversations.delete(address);
      this.abandon(verdict);
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
            call.sendStatus(toldBy(fault));
            publishRequest(this.#domain, 'control', 'connection', fault.code);
          };
          next({ onReceiveMetadata: answer, onReceiveMessage() {}, onReceiveHalfClose() {} });
          if (conversation.refusal) setTimeout(() => conversation.socket.destroy(), LAST_WORD_MS);
        };
        if (this.#rounds.mayGoOn(conversation.uid, begin)) begin();
      },
    });

  #count(uid: number): void {
    const connections = (this.#ofUser.get(uid) ?? 0) - 1;
    if (connections > 0) this.#ofUser.set(uid, connections);
    else this.#ofUser.delete(uid);
  }
}

function refusalOf({ refusal, rate }: Conversation): VkmemError | undefined {
  if (refusal) return refusal;
  const wait = rate.tryTake();
  if (wait === 0) return undefined;
  return new VkmemError('RATE_LIMITED', `The connection may go on in ${wait} ms.`, {
    retry_after_ms: String(wait),
  });
}
