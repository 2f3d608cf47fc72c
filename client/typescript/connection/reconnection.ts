/**
 * Reconnection: the attempts to have the daemon greet again, after a connection was lost.
 *
 * The daemon is told the session's token and the grants that are held, so that it can go on with that session where it
 * still has it; where these are more than a message has room for, that it shall take none back. An attempt that got through to the socket is not given up before the time is over, and never by who has something to lose: the daemon may be
 * starting, and would find the session's client gone where it comes to read the greeting. What cannot pass with time
 * (the policy, the version, a breach of the protocol) ends the attempts at once.
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
import { Backoff } from './backoff.js';
import { HandoffConnection } from './handoff.js';
import { greet } from './hello.js';

export interface Absent {
  /** Of the handoff socket. */
  readonly path: string;
  readonly clientName: string;
  /** Of the session that was. */
  readonly token: string;
  /** How long to try, unless it goes on. */
  readonly reconnectMs: number;
  /** Whether there is more to lose than time, whenever it is asked. */
  goesOn(): boolean;
  /** The grants that are held, whenever it is asked. */
  held(): bigint[];
}

export interface Found {
  readonly handoff: HandoffConnection;
  readonly welcome: Decoded<'Welcome'>;
  /** The grants that the daemon was told of; undefined where it keeps them all. */
  readonly told: ReadonlySet<bigint> | undefined;
}

/** Whether another attempt may do better. EMFILE and the like pass too. */
export function passes(failure: unknown): boolean {
  if (!(failure instanceof VkmemError)) return isKernelError(failure);
  return failure.grpc === GrpcCode.UNAVAILABLE || failure.grpc === GrpcCode.RESOURCE_EXHAUSTED;
}

/** More than the rest of a greeting takes. */
const ROOM = 1024;

/** Whether a greeting has room for it. */
const fits = (session: Draft<'Hello'>): boolean =>
  encode('ClientMessage', { hello: session }).byteLength + ROOM <= MAX_MESSAGE_BYTES;

function asEnd(failure: unknown): VkmemError {
  if (failure instanceof VkmemError) return failure;
  return new VkmemError(
    'UNAVAILABLE',
    `The daemon cannot be reached again: ${String(failure)}.`,
    {},
    failure,
  );
}

export class Reconnection {
  readonly #absent: Absent;
  readonly #backoff: Backoff;
  #keepsAlive: boolean;
  #timer: NodeJS.Timeout | undefined;
  #wake = (): void => {};
  #handoff: HandoffConnection | undefined;
  #stopped: VkmemError | undefined;

  /** @param keepsAlive whether the process may not end meanwhile; keepAlive() has it so later. */
  constructor(absent: Absent, keepsAlive: boolean) {
    this.#absent = absent;
    this.#backoff = new Backoff(absent.reconnectMs);
    this.#keepsAlive = keepsAlive;
  }

  /**
   * To be called once.
   * @throws VkmemError UNAVAILABLE where the time is over, or it was stopped; what cannot pass with time.
   */
  async run(): Promise<Found> {
    let last: unknown;
    const next = () => this.#backoff.next(this.#absent.goesOn());
    for (let wait = next(); wait !== undefined; wait = next()) {
      await this.#sleep(wait);
      if (this.#stopped) throw this.#stopped;
      try {
        return await this.#attempt();
      } catch (failure) {
        if (this.#stopped) throw this.#stopped;
        if (!passes(failure)) throw asEnd(failure);
        last = failure;
      }
    }
    const why = last instanceof VkmemError ? last.reason : String(last);
    throw new VkmemError(
      'UNAVAILABLE',
      `The daemon did not come back within ${this.#absent.reconnectMs} ms: ${why}`,
      {},
      last,
    );
  }

  /** From now on the process does not end before this does. */
  keepAlive(): void {
    this.#keepsAlive = true;
    this.#timer?.ref();
    this.#handoff?.ref();
  }

  /** Ends it at once; resolves when nothing of it is open any more. */
  async stop(reason: VkmemError): Promise<void> {
    this.#stopped = reason;
    this.#wake();
    this.#handoff?.close(reason);
    await this.#handoff?.closed;
  }

  async #attempt(): Promise<Found> {
    const { path, clientName, token: sessionToken, held } = this.#absent;
    const handoff = new HandoffConnection(openSeqpacket(path));
    this.#handoff = handoff;
    if (!this.#keepsAlive) handoff.unref();
    const grantIds = held();
    const whole = fits({ sessionToken, grantIds });
    const before = whole ? { sessionToken, grantIds } : { sessionToken, keepAllGrants: true };
    const timeoutMs = this.#absent.goesOn() ? Number.POSITIVE_INFINITY : Math.max(1, this.#backoff.left);
    const welcome = await greet(handoff, { clientName, ...before, timeoutMs });
    handoff.ref();
    return { handoff, welcome, told: whole ? new Set(grantIds) : undefined };
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        clearTimeout(this.#timer);
        resolve();
      };
      this.#timer = setTimeout(this.#wake, ms);
      if (!this.#keepsAlive) this.#timer.unref();
    });
  }
}
