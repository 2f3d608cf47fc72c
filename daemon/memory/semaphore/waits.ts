/**
 * Waits for timelines, of all requests in one place.
 *
 * One call at a time waits on one thread of the device, for any of the lowest values that are waited for, in
 * slices of 5 ms; so the number of waits costs no thread, and a wait that begins meanwhile waits at most a slice
 * too long. A wait takes no turn and no fd, and ends when all its values are there, or it is refused: at its time
 * limit (WAIT_TIMED_OUT), when a semaphore is freed (NOT_FOUND) or lost (DEVICE_LOST), when its caller or the
 * daemon ends (UNAVAILABLE). Waits that end together are answered a few in each turn of the event loop.
 *
 * Limits: MAX_OF_SESSION on a handoff connection, so that its other requests are still read; MAX_OF_TENANT; and
 * MAX_OF_ALL, the last quarter for tenants with few.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { VkmemError } from '@vkmemd/proto';
import { Shares } from '../../limits/shares.js';
import { tooMany } from '../../limits/too-many.js';
import { Turns } from '../../limits/turns.js';
import type { Device } from '../../vulkan/device.js';
import { type Caller, callerGone } from '../session/caller.js';
import type { Session } from '../session/session.js';
import { SortedList } from '../sorted-list.js';
import type { Semaphore } from './semaphore.js';

/** Must be less than the maximum of requests under way on a connection. */
const MAX_OF_SESSION = 16;
const MAX_OF_TENANT = 256;
const MAX_OF_ALL = 2048;
const SLICE_MS = 5;
const SLICE_NS = BigInt(SLICE_MS) * 1_000_000n;
/** How often callers that have gone are looked for. */
const LOOK_MS = 250;
/** Ended waits that are answered in one turn of the event loop: about 2 ms. */
const ENDS_PER_TURN = 32;

/** A timeline, and the value that its counter is to have at least. */
export interface SemaphoreValue {
  readonly semaphore: Semaphore;
  readonly value: bigint;
}

/** What one request waits for. */
interface Wait {
  readonly caller: Caller;
  readonly points: readonly Point[];
  /** How many of the points have not been reached. */
  left: number;
  settle(failure?: VkmemError): void;
}

/** One value of a wait. */
interface Point extends SemaphoreValue {
  /** Distinguishes points of one value. */
  readonly serial: number;
  readonly wait: Wait;
}

type Order = Pick<Point, 'value' | 'serial'>;
const byValue = (one: Order, other: Order): number =>
  one.value === other.value ? one.serial - other.serial : one.value < other.value ? -1 : 1;

export class SemaphoreWaits {
  readonly #device: Pick<Device, 'waitAny'>;
  readonly #shares = new Shares(() => MAX_OF_ALL);
  readonly #ofSession = new Map<Session, number>();
  readonly #waits = new Set<Wait>();
  /** The points of a semaphore, the lowest value first. */
  readonly #points = new Map<Semaphore, SortedList<Order, Point>>();
  readonly #ends = new Turns(ENDS_PER_TURN);
  #running = false;
  #serial = 0;
  #lookedAt = 0;
  #stopped: VkmemError | undefined;

  constructor(device: Pick<Device, 'waitAny'>) {
    this.#device = device;
  }

  /** Requests that wait. */
  get size(): number {
    return this.#waits.size;
  }

  /**
   * Waits until every timeline has its value.
   * @param timeoutMs in milliseconds; 0 to be refused at once.
   * @throws VkmemError as listed above, or as the driver fails.
   */
  async wait(caller: Caller, values: readonly SemaphoreValue[], timeoutMs: number): Promise<void> {
    if (values.length === 0) return;
    if (await this.#reached(values)) return;
    if (timeoutMs === 0) throw timedOut(values, timeoutMs);
    if (this.#stopped) throw this.#stopped;
    const { tenant } = caller.identity;
    const place = this.#take(caller);
    try {
      await this.#wait(caller, values, timeoutMs);
    } finally {
      place[Symbol.dispose]();
      await new Promise<void>((answer) => this.#ends.add(tenant, answer));
    }
  }

  /** Whether they are there already. */
  async #reached(values: readonly SemaphoreValue[]): Promise<boolean> {
    const lowest = new Map<Semaphore, bigint>();
    for (const { semaphore, value } of values) {
      const known = lowest.get(semaphore) ?? 0n;
      lowest.set(semaphore, value > known ? value : known);
    }
    const asked = [...lowest].map(([semaphore, value]) => ({ semaphore: semaphore.device, value }));
    return (await this.#device.waitAny(asked, 0n)).length === asked.length;
  }

  #take({ identity: { tenant }, session, takeCredit }: Caller): Disposable {
    const own = takeCredit ? session : undefined;
    const ofSession = own ? (this.#ofSession.get(own) ?? 0) : 0;
    if (ofSession >= MAX_OF_SESSION) {
      throw tooMany(`The session has ${ofSession} requests that wait for semaphores, which is the limit.`);
    }
    const ofTenant = this.#shares.of(tenant);
    const place = ofTenant < MAX_OF_TENANT ? this.#shares.take(tenant, 1) : 'user';
    if (typeof place === 'string') {
      const whose = place === 'user' ? `The tenant has ${ofTenant}` : `There are ${MAX_OF_ALL}`;
      throw tooMany(`${whose} requests that wait for semaphores, which is the limit.`);
    }
    if (!own) return place;
    this.#ofSession.set(own, ofSession + 1);
    return {
      [Symbol.dispose]: () => {
        place[Symbol.dispose]();
        const left = (this.#ofSession.get(own) ?? 0) - 1;
        if (left > 0) this.#ofSession.set(own, left);
        else this.#ofSession.delete(own);
      },
    };
  }

  async #wait(caller: Caller, values: readonly SemaphoreValue[], timeoutMs: number): Promise<void> {
    const { promise, resolve, reject } = withResolvers();
    const points: Point[] = [];
    const wait: Wait = {
      caller,
      points,
      left: values.length,
      settle: (failure) => {
        if (!this.#waits.delete(wait)) return;
        for (const point of points) this.#remove(point);
        if (failure) reject(failure);
        else resolve();
      },
    };
    for (const { semaphore, value } of values) {
      this.#serial += 1;
      points.push({ semaphore, value, serial: this.#serial, wait });
    }
    // It may have ended since the first look.
    const ended = values.find(({ semaphore }) => semaphore.state !== 'LIVE');
    if (ended) throw ended.semaphore.ended();
    this.#waits.add(wait);
    for (const point of points) this.#add(point);
    const timer = setTimeout(() => wait.settle(timedOut(values, timeoutMs)), timeoutMs);
    if (!this.#running) void this.#run();
    try {
      await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  #add(point: Point): void {
    const others = this.#points.get(point.semaphore) ?? new SortedList<Order, Point>(byValue);
    others.add(point);
    this.#points.set(point.semaphore, others);
  }

  #remove(point: Point): void {
    const others = this.#points.get(point.semaphore);
    others?.remove(point);
    if (others?.last === undefined) this.#points.delete(point.semaphore);
  }

  /** Waits in slices, as long as any request waits. Never rejects. */
  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waits.size > 0) {
      const asked = [...this.#points].map(([semaphore, points]) => {
        const [first] = points.after(undefined, 1);
        return { semaphore, value: first?.value ?? 0n };
      });
      const begun = performance.now();
      let reached = 0;
      try {
        const devices = asked.map(({ semaphore, value }) => ({ semaphore: semaphore.device, value }));
        for (const index of await this.#device.waitAny(devices, SLICE_NS)) {
          const at = asked[index];
          if (at) this.#reach(at);
          reached += 1;
        }
      } catch (failure) {
        const fault =
          failure instanceof VkmemError
            ? failure
            : new VkmemError('INTERNAL', 'Waiting for semaphores failed.', {}, failure);
        for (const { semaphore } of asked) this.#refuse(semaphore, fault);
      }
      this.#lookForGone();
      // A client may have taken a value back, or the driver does not wait.
      if (reached === 0 && performance.now() - begun < SLICE_MS / 2) await sleep(SLICE_MS);
    }
    this.#running = false;
  }

  /** The counter of the semaphore is at least the value. */
  #reach({ semaphore, value }: SemaphoreValue): void {
    const points = this.#points.get(semaphore);
    for (;;) {
      const [first] = points?.after(undefined, 1) ?? [];
      if (!first || first.value > value) return;
      this.#remove(first);
      first.wait.left -= 1;
      if (first.wait.left === 0) first.wait.settle();
    }
  }

  #lookForGone(): void {
    const now = performance.now();
    if (now - this.#lookedAt < LOOK_MS) return;
    this.#lookedAt = now;
    for (const wait of [...this.#waits]) if (wait.caller.gone()) wait.settle(callerGone());
  }

  #refuse(semaphore: Semaphore, fault: VkmemError): void {
    for (;;) {
      const [first] = this.#points.get(semaphore)?.after(undefined, 1) ?? [];
      if (!first) return;
      first.wait.settle(fault);
    }
  }

  /** The semaphore was freed, or lost: refuses what waits for it. */
  endOf(semaphore: Semaphore): void {
    this.#refuse(semaphore, semaphore.ended());
  }

  /** The daemon stops: refuses all that waits, and all that would wait later. */
  stop(fault: VkmemError): void {
    this.#stopped = fault;
    for (const wait of [...this.#waits]) wait.settle(fault);
  }
}

function timedOut(values: readonly SemaphoreValue[], timeoutMs: number): VkmemError {
  const shown = values.map(({ semaphore: { id }, value }) => `${value} of semaphore ${id}`).join(', ');
  return new VkmemError('WAIT_TIMED_OUT', `Not all values came within ${timeoutMs} ms: ${shown}.`);
}

/** Promise.withResolvers(), which Node.js 20 lacks. */
function withResolvers(): {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (failure: Error) => void;
} {
  let resolve: () => void = () => {};
  let reject: (failure: Error) => void = () => {};
  const promise = new Promise<void>((done, fail) => {
    resolve = done;
    reject = fail;
  });
  return { promise, resolve, reject };
}
