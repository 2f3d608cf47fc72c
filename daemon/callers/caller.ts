/** A caller: a connection that the front serves, as the core knows it. */
import { type Decoded, ExitWatch, type OwnedFd, type VkmemError } from '@vkmemd/proto';
import { TokenBucket } from '../limits/token-bucket.js';
import type { Identity } from '../policy/identity.js';
import type { Limits } from '../policy/limits.js';
import type { Tenant } from '../policy/tenant.js';
import { type Admitted, type CallerPlane, NETWORK } from './admission.js';
import type { CallUnderWay } from './call.js';

/** Rate of requests of one connection to an admin socket. */
const ADMIN_RATE = { perSecond: 100, burst: 100 };

export class ConnectedCaller implements Disposable {
  readonly number: bigint;
  readonly plane: CallerPlane;
  /** What the kernel reported when the connection was accepted; undefined for TCP. */
  readonly identity: Identity | undefined;
  /** The error of all its calls; undefined if it is served. */
  readonly refusal: VkmemError | undefined;
  readonly rate: TokenBucket;
  /** Its calls under way. */
  readonly calls = new Set<CallUnderWay>();
  /** Ends a connection that is refused. */
  timer: NodeJS.Timeout | undefined;
  /** Whether it has its refusal, or will have within LAST_WORD_MS. */
  lastWord = false;
  readonly #place: Disposable;
  #process: ExitWatch | undefined;
  #gone = false;

  /** @param admitted its place is released when the caller is disposed. */
  constructor(
    number: bigint,
    plane: CallerPlane,
    identity: Identity | undefined,
    { place, refusal }: Admitted,
    { requestsPerSecond, requestBurst }: Limits,
  ) {
    this.number = number;
    this.plane = plane;
    this.identity = identity;
    this.refusal = refusal;
    this.rate =
      plane === 'CONTROL'
        ? new TokenBucket(requestsPerSecond, requestBurst)
        : new TokenBucket(ADMIN_RATE.perSecond, ADMIN_RATE.burst);
    this.#place = place;
  }

  /** The tenant that its calls take turns as. */
  get tenant(): Tenant {
    return this.identity?.tenant ?? NETWORK;
  }

  /** Whether it has ended, and the front is to close its connection. */
  get gone(): boolean {
    return this.#gone;
  }

  /**
   * Calls back when the process that connected has ended: only a front that was taken over says that it has not.
   * @param pidfd of the process; taken. It stands for the connection, whose fd is in the front, on the
   *   account of the daemon's fds.
   * @throws KernelError, with the pidfd closed.
   */
  watch(pidfd: OwnedFd, exited: () => void): void {
    this.#process = new ExitWatch(pidfd, this.identity?.uid ?? 0, exited);
  }

  /** The message that passes it to the front. */
  describe(handshakeMs: number): Decoded<'Caller'> {
    const { identity } = this;
    const shown = identity ? `uid ${identity.uid}, pid ${identity.pid}` : 'TCP';
    const tenant = this.tenant.key;
    return { number: this.number, plane: `PLANE_${this.plane}`, shown, handshakeMs, tenant };
  }

  /** Makes no more calls. Those under way are cancelled. */
  end(): void {
    this.#gone = true;
    clearTimeout(this.timer);
    for (const call of this.calls) call.cancel();
  }

  /** The connection has ended: releases its place. */
  [Symbol.dispose](): void {
    this.end();
    this.#process?.close();
    this.#place[Symbol.dispose]();
  }
}
