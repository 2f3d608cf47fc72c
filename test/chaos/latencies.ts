/**
 * Latencies: the time of victims' requests without attack, and whether it stays within limits under attack.
 *
 * For each victim and each request the p99 must stay within MAX_RATIO times the p99 without attack: over the
 * whole attack, and in each window that slides by a second. More requests must not be slow than chance explains
 * (chance.ts). A window in which the daemon was stopped, and a moment after it, is left out, because
 * no request can be served then. So is a window in which the machine was overloaded, because it is then
 * inconclusive: the p99 of pings, which are the same victim's messages to an idle process, has grown to
 * STARVED times; or other processes used the processors (processor.ts). The number of remaining windows is
 * reported.
 */
import { MISTAKEN_OF_RUN, maxByChance } from './chance.js';
import type { Interval } from './daemon.js';
import { now, REQUESTS, type Request, type Sample } from './messages.js';

export const WINDOW_MS = 4000;
export const STEP_MS = 1000;
/** The invariant. */
export const MAX_RATIO = 5;
const P99 = 0.99;
/** From this ratio on the machine is overloaded. */
const STARVED = 3;
/** With fewer requests the last hundredth is a single request, which is inconclusive. */
const FEWEST = 100;
/** After it continued, the queue is served first. */
const AFTER_STOP_MS = 500;

/** The value below which `share` (0 to 1) of the values lie; NaN without values. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** One request of one victim during a run. Microseconds. */
export interface Course {
  readonly victim: number;
  readonly request: Request;
  readonly quietP99: number;
  /** Of the judged windows. */
  readonly worstP99: number;
  readonly worstRatio: number;
  readonly medianRatio: number;
}

/** Requests that violated the invariant. */
export interface Slow {
  readonly victim: number;
  readonly request: Request;
  /** This many took longer than MAX_RATIO times the p99 without attack. */
  readonly slower: number;
  readonly requests: number;
  /** The ratio of pings in a window: the state of the machine. */
  readonly pingRatio?: number;
}

/** One victim's samples of one request, in the order of arrival. */
class Series {
  readonly ratios: number[] = [];
  quietP99 = Number.NaN;
  worstP99 = Number.NaN;
  /** The requests in judged windows, each counted once. */
  readonly judged = { requests: 0, slower: 0 };
  judgedToMs = Number.NEGATIVE_INFINITY;
  #samples: Sample[] = [];

  add(sample: Sample): void {
    this.#samples.push(sample);
  }

  between(fromMs: number, toMs: number): number[] {
    return this.#samples.filter(([, began]) => began >= fromMs && began < toMs).map(([, , us]) => us);
  }

  /** The number of requests, and of those that were too slow. */
  count(fromMs: number, toMs: number): { requests: number; slower: number } {
    const values = this.between(fromMs, toMs);
    return { requests: values.length, slower: values.filter((us) => us > this.quietP99 * MAX_RATIO).length };
  }

  forget(beforeMs: number): void {
    this.#samples = this.#samples.filter(([, began]) => began >= beforeMs);
  }
}

export class Latencies {
  /**
   * Windows of each victim: judged; left out because of a stop of the daemon, because of the machine, or
   * because the victim sent too few requests, as during an audit.
   */
  readonly windows = { judged: 0, stopped: 0, starved: 0, sparse: 0 };
  readonly #victims: Readonly<Record<Request, Series>>[];
  readonly #heardMs: number[];

  constructor(victims: number) {
    const fresh = () => Object.fromEntries(REQUESTS.map((request) => [request, new Series()]));
    this.#victims = Array.from({ length: victims }, () => fresh() as Record<Request, Series>);
    this.#heardMs = this.#victims.map(() => 0);
  }

  add(victim: number, samples: readonly Sample[]): void {
    this.#heardMs[victim] = now();
    for (const sample of samples) this.#victims[victim]?.[sample[0]].add(sample);
  }

  /** The time of the last answer that each victim reported. */
  get heardMs(): readonly number[] {
    return this.#heardMs;
  }

  /** Whether there are enough samples of each request since then. */
  enough(fromMs: number): boolean {
    const all = this.#victims.flatMap((victim) => Object.values(victim));
    return all.every((series) => series.between(fromMs, now()).length >= FEWEST);
  }

  /** Uses the samples of this interval as those without attack. @throws Error if there are too few. */
  settle(fromMs: number, toMs: number): void {
    for (const victim of this.#victims) {
      for (const [request, series] of Object.entries(victim)) {
        const quiet = series.between(fromMs, toMs);
        if (quiet.length < FEWEST) throw new Error(`only ${quiet.length} times ${request} in quiet`);
        series.quietP99 = quantile(quiet, P99);
      }
    }
  }

  /**
   * Judges the window that ends at `toMs`.
   * @param busy whether other processes used the machine.
   * @returns the violations.
   */
  judge(toMs: number, stops: readonly Interval[], busy: boolean): Slow[] {
    const fromMs = toMs - WINDOW_MS;
    const stood = stops.some((stop) => stop.fromMs < toMs && stop.toMs + AFTER_STOP_MS > fromMs);
    const slow: Slow[] = [];
    for (const [index, victim] of this.#victims.entries()) {
      const pings = victim.ping.between(fromMs, toMs);
      const pingRatio = quantile(pings, P99) / victim.ping.quietP99;
      if (stood) this.windows.stopped += 1;
      else if (pings.length < FEWEST) this.windows.sparse += 1;
      else if (busy || pingRatio > STARVED) this.windows.starved += 1;
      else {
        this.windows.judged += 1;
        slow.push(...this.#judge(index, victim, fromMs, toMs, pingRatio));
      }
      for (const series of Object.values(victim)) series.forget(fromMs);
    }
    return slow;
  }

  #judge(
    index: number,
    victim: Readonly<Record<Request, Series>>,
    fromMs: number,
    toMs: number,
    pingRatio: number,
  ): Slow[] {
    return REQUESTS.flatMap((request) => {
      const series = victim[request];
      const values = series.between(fromMs, toMs);
      if (values.length < FEWEST) return [];
      const p99 = quantile(values, P99);
      series.ratios.push(p99 / series.quietP99);
      if (!(p99 <= series.worstP99)) series.worstP99 = p99;
      if (request === 'ping') return [];
      // Windows overlap; only the end of this one is new.
      const added = series.count(Math.max(fromMs, series.judgedToMs), toMs);
      series.judgedToMs = toMs;
      series.judged.requests += added.requests;
      series.judged.slower += added.slower;
      const counts = series.count(fromMs, toMs);
      const broken = counts.slower > maxByChance(counts.requests);
      return broken ? [{ victim: index, request, ...counts, pingRatio }] : [];
    });
  }

  /** Judges all requests of judged windows together. */
  overall(): Slow[] {
    return this.#victims.flatMap((victim, index) =>
      REQUESTS.flatMap((request) => {
        const { requests, slower } = victim[request].judged;
        const broken = requests >= FEWEST && slower > maxByChance(requests, MISTAKEN_OF_RUN);
        return broken ? [{ victim: index, request, requests, slower }] : [];
      }),
    );
  }

  courses(): Course[] {
    return this.#victims.flatMap((victim, index) =>
      REQUESTS.map((request) => {
        const { ratios, quietP99, worstP99 } = victim[request];
        const medianRatio = quantile(ratios, 0.5);
        return { victim: index, request, quietP99, worstP99, worstRatio: quantile(ratios, 1), medianRatio };
      }),
    );
  }
}
