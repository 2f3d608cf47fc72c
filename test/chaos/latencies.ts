/**
 * Latencies: how long victims' requests take while the daemon is left alone, and whether it stays so under
 * attack.
 *
 * For each victim and each request the p99 must stay within MAX_RATIO times the p99 of quiet: over the whole
 * attack, and in each window that slides by a second, where more are slower than chance explains (chance.ts).
 * A window in which the daemon was stopped, and the moment after, is left out: nobody can be served then. So
 * is one in which the machine had no time, for then it says nothing of the daemon: where the p99 of pings has
 * grown to STARVED times, the same victim's questions to a process that does nothing else; or where others
 * had the processors (processor.ts). How many windows that leaves is reported.
 */
import { maxByChance } from './chance.js';
import type { Interval } from './daemon.js';
import { now, REQUESTS, type Request, type Sample } from './messages.js';

export const WINDOW_MS = 4000;
export const STEP_MS = 1000;
/** The invariant. */
export const MAX_RATIO = 5;
const P99 = 0.99;
/** From there on a window is the machine's. */
const STARVED = 3;
/** The last hundredth of fewer is one request, which says nothing of the others. */
const FEWEST = 100;
/** After it went on, what has piled up is served first. */
const AFTER_STOP_MS = 500;

/** The value below which `share` (0 to 1) of the values lie; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** One request of one victim, all through a run. Microseconds. */
export interface Course {
  readonly victim: number;
  readonly request: Request;
  readonly quietP99: number;
  /** Of the windows that count. */
  readonly worstP99: number;
  readonly worstRatio: number;
  readonly medianRatio: number;
}

/** Requests that broke the invariant. */
export interface Slow {
  readonly victim: number;
  readonly request: Request;
  /** So many of so many took longer than MAX_RATIO times the p99 of quiet. */
  readonly slower: number;
  readonly requests: number;
  /** Of pings, in a window: what the machine was like. */
  readonly pingRatio?: number;
}

/** One victim's samples of one request, as they come. */
class Series {
  readonly ratios: number[] = [];
  quietP99 = Number.NaN;
  worstP99 = Number.NaN;
  /** Of the requests in windows that were judged, each counted once. */
  readonly judged = { requests: 0, slower: 0 };
  judgedToMs = Number.NEGATIVE_INFINITY;
  #samples: Sample[] = [];

  add(sample: Sample): void {
    this.#samples.push(sample);
  }

  between(fromMs: number, toMs: number): number[] {
    return this.#samples.filter(([, began]) => began >= fromMs && began < toMs).map(([, , us]) => us);
  }

  /** Of so many requests so many took too long. */
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
   * Windows, of each victim: judged; left out for a stop of the daemon, for the machine's sake, or since the
   * victim asked too little, as it does while all rest for an audit.
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

  /** When each victim last told of an answer that it got. */
  get heardMs(): readonly number[] {
    return this.#heardMs;
  }

  /** Whether enough of each request came since then. */
  enough(fromMs: number): boolean {
    const all = this.#victims.flatMap((victim) => Object.values(victim));
    return all.every((series) => series.between(fromMs, now()).length >= FEWEST);
  }

  /** Takes what came in between for quiet. @throws Error where that is too little. */
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
   * @param busy whether others had the machine.
   * @returns where it breaks the invariant.
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
      // Windows overlap; what is new in this one is its end.
      const added = series.count(Math.max(fromMs, series.judgedToMs), toMs);
      series.judgedToMs = toMs;
      series.judged.requests += added.requests;
      series.judged.slower += added.slower;
      const counts = series.count(fromMs, toMs);
      const broken = counts.slower > maxByChance(counts.requests);
      return broken ? [{ victim: index, request, ...counts, pingRatio }] : [];
    });
  }

  /** Judges all that was judged in windows, together. */
  overall(): Slow[] {
    return this.#victims.flatMap((victim, index) =>
      REQUESTS.flatMap((request) => {
        const { requests, slower } = victim[request].judged;
        const broken = requests >= FEWEST && slower > requests * (1 - P99);
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
