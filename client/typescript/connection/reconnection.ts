/**
 * Reconnection: the attempts to resume a session after its connection was lost.
 *
 * Hello has the token of the session and the ids of the grants that the client holds, so that the daemon can
 * restore the session. If the ids do not fit into a message, Hello asks the daemon to keep all grants. An
 * attempt that has connected is not aborted before the time is over, and not at all if the session has
 * memory: the daemon may be starting, and must find the client connected when it reads Hello. A failure that
 * a later attempt cannot change (the policy, the version, a protocol error) ends the attempts at once.
 */
import {
  type Decoded,
  type Draft,
  encode,
  GrpcCode,
  isKernelError,
  MAX_LISTED_GRANTS,
  MAX_MESSAGE_BYTES,
  VkmemError,
} from '@vkmemd/proto';
import { Backoff, pause } from './backoff.js';
import { type ExpectedUid, openDaemon } from './daemon-peer.js';
import { HandoffConnection } from './handoff.js';
import { greet } from './hello.js';

/** A session that has lost its connection. */
export interface LostSession {
  /** The path of the handoff socket. */
  readonly path: string;
  readonly expectUid: ExpectedUid | undefined;
  readonly clientName: string;
  readonly token: string;
  /** How long to try, in milliseconds, unless it is unlimited. */
  readonly reconnectMs: number;
  /** Whether attempts continue after `reconnectMs`. Called before each attempt. */
  unlimited(): boolean;
  /** The ids of the grants that the client holds. Called at each attempt. */
  grantIds(): bigint[];
}

/** A connection on which the daemon answered Hello. */
export interface Resumed {
  readonly handoff: HandoffConnection;
  readonly welcome: Decoded<'Welcome'>;
  /** The grants that Hello reported; undefined if the daemon keeps all. */
  readonly reportedGrants: ReadonlySet<bigint> | undefined;
}

/** Whether another attempt may succeed. Failed system calls of this process, such as EMFILE, are transient too. */
export function isTransient(failure: unknown): boolean {
  if (!(failure instanceof VkmemError)) return isKernelError(failure);
  if (failure.code === 'SYSTEM_CALL_FAILED') return true;
  return failure.grpc === GrpcCode.UNAVAILABLE || failure.grpc === GrpcCode.RESOURCE_EXHAUSTED;
}

/** More bytes than the other fields of Hello require. */
const ROOM = 1024;

/** Whether Hello may have these fields, and fits into a message with them. */
const fits = (session: Draft<'Hello'>): boolean =>
  (session.grantIds?.length ?? 0) <= MAX_LISTED_GRANTS.Hello &&
  encode('ClientMessage', { hello: session }).byteLength + ROOM <= MAX_MESSAGE_BYTES;

function asVkmemError(failure: unknown): VkmemError {
  if (failure instanceof VkmemError) return failure;
  const reason = `The daemon cannot be reached: ${String(failure)}.`;
  return new VkmemError('UNAVAILABLE', reason, {}, failure);
}

export class Reconnection {
  readonly #lost: LostSession;
  readonly #backoff: Backoff;
  readonly #stopping = new AbortController();
  #keepsAlive: boolean;
  #timer: NodeJS.Timeout | undefined;
  #handoff: HandoffConnection | undefined;

  /** @param keepsAlive Whether the reconnection keeps the process alive; keepAlive() sets it later. */
  constructor(lost: LostSession, keepsAlive: boolean, backoff = new Backoff(lost.reconnectMs)) {
    this.#lost = lost;
    this.#backoff = backoff;
    this.#keepsAlive = keepsAlive;
  }

  /**
   * Runs the attempts. Call it once.
   * @throws VkmemError UNAVAILABLE if the time is over, or after stop(); a failure that is not transient.
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
    const reason = `The daemon was not reached again within ${this.#lost.reconnectMs} ms: ${why}`;
    throw new VkmemError('UNAVAILABLE', reason, {}, last);
  }

  /** Keeps the process alive until the reconnection has ended. */
  keepAlive(): void {
    this.#keepsAlive = true;
    this.#timer?.ref();
    this.#handoff?.ref();
  }

  /** Ends the reconnection at once. Resolves when its connection is closed. */
  async stop(reason: VkmemError): Promise<void> {
    this.#stopping.abort(reason);
    this.#handoff?.close(reason);
    await this.#handoff?.closed;
  }

  async #attempt(): Promise<Resumed> {
    const { path, expectUid, clientName, token: sessionToken } = this.#lost;
    const timeoutMs = this.#lost.unlimited() ? Number.POSITIVE_INFINITY : Math.max(1, this.#backoff.left);
    const handoff = new HandoffConnection(
      await openDaemon(path, expectUid, timeoutMs, this.#stopping.signal),
      path,
    );
    this.#handoff = handoff;
    if (!this.#keepsAlive) handoff.unref();
    const grantIds = this.#lost.grantIds();
    const whole = fits({ sessionToken, grantIds });
    const session = whole ? { sessionToken, grantIds } : { sessionToken, keepAllGrants: true };
    const welcome = await greet(handoff, { clientName, ...session, timeoutMs });
    handoff.ref();
    return { handoff, welcome, reportedGrants: whole ? new Set(grantIds) : undefined };
  }

  #started(timer: NodeJS.Timeout): void {
    this.#timer = timer;
    if (!this.#keepsAlive) timer.unref();
  }
}
