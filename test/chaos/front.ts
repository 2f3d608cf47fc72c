/**
 * The front of the daemon under attack: it is killed, stopped, made to grow and sent malformed frames, while
 * clients use the handoff socket.
 *
 * gRPC may be unavailable from the loss of a front until the next one serves, and at no other time. Requests
 * of the handoff socket must not wait longer meanwhile than they do otherwise.
 */
import { connect } from 'node:net';
import { growUntil } from '../front/growth.js';
import { anotherFront, frontOf, grpcBack } from '../front/support.js';
import { MISTAKEN_OF_RUN, maxByChance } from './chance.js';
import type { ChaosDaemon } from './daemon.js';
import { now, type Sample } from './messages.js';
import type { Random } from './random.js';
import { rest } from './rest.js';

/** How the front is disturbed, and how often in relation to the others. */
const WEIGHTS = { SIGKILL: 6, SIGSTOP: 1, memory: 1, frames: 2 } as const;
type Way = keyof typeof WEIGHTS;

/** What a request of the handoff socket may wait in addition, in microseconds. */
const SLOW_US = 20_000;
/** A call that was interrupted is repeated after a pause. */
const AFTER_LOSS_MS = 3000;
/** The maximum time until a front is there, on a busy machine. */
const MAX_BACK_MS = 30_000;
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const FRAMES_KEPT_MS = 50;

/** A time without a front, on the clock of messages.ts. */
interface Loss {
  readonly way: Way;
  readonly fromMs: number;
  toMs: number;
}

/** Requests, and how many of them took longer than SLOW_US. */
interface Waits {
  requests: number;
  slow: number;
  longestMs: number;
}

/** What the report says about the front. */
export interface FrontReport {
  /** The number of disturbances, by their way. */
  readonly ways: Readonly<Record<string, number>>;
  /** The times until gRPC was back, in milliseconds. */
  readonly back: Readonly<Record<string, { readonly median: number; readonly max: number }>>;
  /** Requests of victims on the handoff socket while there was no front, and at other times. */
  readonly without: Waits;
  readonly with: Waits;
}

const byWay = <T>(losses: readonly Loss[], of: (all: readonly Loss[]) => T): Record<string, T> =>
  Object.fromEntries(
    [...new Set(losses.map(({ way }) => way))]
      .sort()
      .map((way) => [way, of(losses.filter((loss) => loss.way === way))]),
  );

export class ChaosFront {
  readonly #daemon: ChaosDaemon;
  readonly #losses: Loss[] = [];
  readonly #ways = new Map<Way, number>();
  /** When a victim could not reach gRPC. */
  readonly #unavailable: { readonly atMs: number; readonly why: string }[] = [];
  readonly #samples: Sample[] = [];
  readonly #wrong: string[] = [];

  constructor(daemon: ChaosDaemon) {
    this.#daemon = daemon;
  }

  static plan(random: Random): Way {
    const ways = Object.entries(WEIGHTS).map(([name, weight]) => ({ name: name as Way, weight }));
    return random.weighted(ways).name;
  }

  /** How often it was lost. */
  get lost(): number {
    return this.#losses.length;
  }

  /** Disturbs it, and resolves when gRPC is served. */
  async disturb(way: Way, random: Random): Promise<void> {
    const { runtimeDir } = this.#daemon;
    const pid = await anotherFront(this.#daemon);
    this.#ways.set(way, (this.#ways.get(way) ?? 0) + 1);
    if (way === 'frames') {
      await this.#sendFrames(random, pid);
      return;
    }
    let seenMs = now();
    const isLost = (): boolean => {
      if (frontOf(this.#daemon) !== pid) return true;
      seenMs = now();
      return false;
    };
    const end = way === 'memory' ? await growUntil(isLost, runtimeDir) : () => {};
    // A front that grew was lost at any time since it was last seen: this process is busy making it grow.
    const fromMs = way === 'memory' ? seenMs : now();
    const loss: Loss = { way, fromMs, toMs: Number.POSITIVE_INFINITY };
    this.#losses.push(loss);
    if (way !== 'memory') process.kill(pid, way);
    end();
    await grpcBack(runtimeDir, MAX_BACK_MS);
    loss.toMs = now();
  }

  /** A victim could not reach gRPC at that time, for a reason that its failure had. */
  noteUnavailable(atMs: number, why: string): void {
    this.#unavailable.push({ atMs, why });
  }

  /** @returns the samples without those of calls to the front while there was none. */
  heard(samples: readonly Sample[]): Sample[] {
    this.#samples.push(...samples.filter(([request]) => request !== 'get' && request !== 'ping'));
    return samples.filter(
      ([request, began, us]) => request !== 'get' || !this.#away(began, began + us / 1000),
    );
  }

  /** @returns the violations. */
  judge(): string[] {
    const strange = this.#unavailable.filter(({ atMs }) => !this.#away(atMs, atMs));
    const wrong = [...this.#wrong];
    if (strange.length > 0) {
      const first = new Map<string, number>();
      for (const { atMs, why } of strange) if (!first.has(why)) first.set(why, atMs);
      const when = [...first].map(([why, atMs]) => `${this.#sinceLoss(atMs)}: ${why}`).join('; ');
      wrong.push(`gRPC was unavailable ${strange.length} times while there was a front: ${when}`);
    }
    return wrong;
  }

  /** @returns the latencies above their limits. */
  slow(): string[] {
    const { without, with: others } = this.report();
    const usual = Math.ceil((without.requests * others.slow) / Math.max(1, others.requests));
    if (without.slow - usual <= maxByChance(without.requests, MISTAKEN_OF_RUN)) return [];
    return [`${without.slow} of ${without.requests} requests waited above 20 ms while there was no front`];
  }

  report(): FrontReport {
    const [without, others]: [Waits, Waits] = [
      { requests: 0, slow: 0, longestMs: 0 },
      { requests: 0, slow: 0, longestMs: 0 },
    ];
    for (const [, began, us] of this.#samples) {
      const waits = this.#lostAt(began, began + us / 1000) ? without : others;
      waits.requests += 1;
      if (us > SLOW_US) waits.slow += 1;
      waits.longestMs = Math.max(waits.longestMs, us / 1000);
    }
    const back = byWay(this.#losses, (all) => {
      const times = all.map(({ fromMs, toMs }) => toMs - fromMs).sort((one, other) => one - other);
      return { median: times[Math.floor(times.length / 2)] ?? 0, max: times.at(-1) ?? 0 };
    });
    return { ways: Object.fromEntries([...this.#ways].sort()), back, without, with: others };
  }

  #lostAt(fromMs: number, toMs: number): boolean {
    return this.#losses.some((loss) => loss.fromMs <= toMs && loss.toMs >= fromMs);
  }

  /** How long after the last front was back, for a message. */
  #sinceLoss(atMs: number): string {
    const before = this.#losses.findLast(({ fromMs }) => fromMs <= atMs);
    return before ? `${(atMs - before.toMs).toFixed(0)} ms after a ${before.way}` : 'before the first loss';
  }

  /** The same, with the time in which a call may be interrupted or repeated. */
  #away(fromMs: number, toMs: number): boolean {
    return this.#lostAt(fromMs - AFTER_LOSS_MS, toMs + FRAMES_KEPT_MS);
  }

  /** Malformed HTTP/2, which must not end it. */
  async #sendFrames(random: Random, pid: number): Promise<void> {
    const socket = connect(this.#daemon.controlSocket);
    socket.on('error', () => {}); // The front closes the connection sooner or later.
    socket.write(PREFACE);
    for (let frame = random.between(1, 8); frame > 0; frame -= 1) socket.write(frameOf(random));
    await rest(FRAMES_KEPT_MS);
    socket.destroy();
    await grpcBack(this.#daemon.runtimeDir, MAX_BACK_MS);
    if (frontOf(this.#daemon) !== pid) this.#wrong.push('malformed frames ended the front');
  }
}

/** A frame of HTTP/2 with a random type, flags, stream and payload, whose length may be wrong. */
function frameOf(random: Random): Buffer {
  const payload = random.bytes(random.pick([0, 1, 4, 5, 8, 16, 300]));
  const length = random.chance(0.7) ? payload.length : random.below(1 << 16);
  const head = Buffer.alloc(9);
  head.writeUIntBE(length, 0, 3);
  // Beyond the ten types of RFC 9113, frames are ignored.
  head.writeUInt8(random.below(12), 3);
  head.writeUInt8(random.below(256), 4);
  head.writeUInt32BE(random.pick([0, 1, 2, 3, 0x7fff_ffff]), 5);
  return Buffer.concat([head, payload]);
}
