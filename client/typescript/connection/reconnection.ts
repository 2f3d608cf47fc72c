/**
 * Reconnection: the attempts to resume a session after its connection was lost.
 *
 * Hello has the session's token and the grants that are held, so that the daemon can restore the session;
 * where these do not fit into a message, it asks the daemon to take no grant back. An attempt that connected
 * is not given up before the time is over, and never by a session that has something to lose: the daemon may
 * be starting, and would find the client gone when it reads Hello. A failure that time does not change (the
 * policy, the version, a protocol error) ends the attempts at once.
 */
import {
  type Decoded,
  type Draft,
  encode,
  GrpcCode,
  isKernelError,
  MAX_MESSAGE_BYTES,
  openSeqpacket,
  VkmemError,
} from '@vkmemd/proto';
import { Backoff, pause } from './backoff.js';
import { HandoffConnection } from './handoff.js';
import { greet } from './hello.js';

/** A session that has lost its connection. */
export interface LostSession {
  /** Of the handoff socket. */
  readonly path: string;
  readonly clientName: string;
  readonly token: string;
  /** How long to try, unless it is unlimited. */
  readonly reconnectMs: number;
  /** Whether attempts continue after `reconnectMs`. Called before each attempt. */
  unlimited(): boolean;
  /** The ids of the grants that are held. Called at each attempt. */
  grantIds(): bigint[];
}

/** A connection on which the daemon answered Hello. */
export interface Resumed {
  readonly handoff: HandoffConnection;
  readonly welcome: Decoded<'Welcome'>;
  /** The grants that Hello reported; undefined where the daemon keeps all. */
  readonly reportedGrants: ReadonlySet<bigint> | undefined;
}

/** Whether another attempt may succeed. Errors of the kernel, such as EMFILE, are transient too. */
export function isTransient(failure: unknown): boolean {
  if (!(failure instanceof VkmemError)) return isKernelError(failure);
  return failure.grpc === GrpcCode.UNAVAILABLE || failure.grpc === GrpcCode.RESOURCE_EXHAUSTED;
}

/** More bytes than the other fields of Hello take. */
const ROOM = 1024;

/** Whether Hello has room for it. */
const fits = (session: Draft<'Hello'>): boolean =>
  encode('ClientMessage', { hello: session }).byteLength + ROOM <= MAX_MESSAGE_BYTES;

function asVkmemError(failure: unknown): VkmemError {
  if (failure instanceof VkmemError) return failure;
  const reason = `The daemon cannot be reached again: ${String(failure)}.`;
  return new VkmemError('UNAVAILABLE', reason, {}, failure);
}

export class Reconnection {
  readonly #lost: LostSession;
  readonly #backoff: Backoff;
  readonly #stopping = new AbortController();
  #keepsAlive: boolean;
  #timer: NodeJS.Timeout | undefined;
  #handoff: HandoffConnection | undefined;

  /** @param keepsAlive whether the process stays alive for it; keepAlive() sets it later. */
  constructor(lost: LostSession, keepsAlive: boolean, backoff = new Backoff(lost.reconnectMs)) {
    this.#lost = lost;
    this.#backoff = backoff;
    this.#keepsAlive = keepsAlive;
  }

  /**
   * To be called once.
   * @throws VkmemError UNAVAILABLE where the time is over, or it was stopped; a failure that is not
   *   transient.
   */
  async run(): Promise<Resumed> {
    const { signal } = this.#stopping;
    let last: unknown;
    const next = () => this.#backoff.next(this.#lost.unlimited());
    for (let wait = next(); wait !== undefined; wait = next()) {
      await pause(wait, [signal], undefined, (timer) => this.#started(timer));
      signal.throwIfAborted();
      try {
        return await this.#attempt();
      } catch (failure) {
        signal.throwIfAborted();
        if (!isTransient(failure)) throw asVkmemError(failure);
        last = failure;
      }
    }
    const why = last instanceof VkmemError ? last.reason : String(last);
    const reason = `The daemon did not come back within ${this.#lost.reconnectMs} ms: ${why}`;
    throw new VkmemError('UNAVAILABLE', reason, {}, last);
  }

  /** Keeps the process alive until it ends. */
  keepAlive(): void {
    this.#keepsAlive = true;
    this.#timer?.ref();
    this.#handoff?.ref();
  }

  /** Ends it at once; resolves when its connection is closed. */
  async stop(reason: VkmemError): Promise<void> {
    this.#stopping.abort(reason);
    this.#handoff?.close(reason);
    await this.#handoff?.closed;
  }

  async #attempt(): Promise<Resumed> {
    const { path, clientName, token: sessionToken } = this.#lost;
    const handoff = new HandoffConnection(openSeqpacket(path));
    this.#handoff = handoff;
    if (!this.#keepsAlive) handoff.unref();
    const grantIds = this.#lost.grantIds();
    const whole = fits({ sessionToken, grantIds });
    const session = whole ? { sessionToken, grantIds } : { sessionToken, keepAllGrants: true };
    const timeoutMs = this.#lost.unlimited() ? Number.POSITIVE_INFINITY : Math.max(1, this.#backoff.left);
    const welcome = await greet(handoff, { clientName, ...session, timeoutMs });
    handoff.ref();
    return { handoff, welcome, reportedGrants: whole ? new Set(grantIds) : undefined };
  }

  #started(timer: NodeJS.Timeout): void {
    this.#timer = timer;
    if (!this.#keepsAlive) timer.unref();
  }
}
