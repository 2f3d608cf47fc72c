/**
 * The monitor of a run: once a second it searches for memory that two users have and judges latencies, and
 * every few seconds it audits.
 *
 * For an audit all clients pause: attackers between two actions, with their resources still open, and victims
 * between two requests.
 */
import { type Auditor, sharedMemory } from './audit.js';
import type { Chronicle } from './chronicle.js';
import type { ChaosDaemon } from './daemon.js';
import type { Fleet } from './fleet.js';
import type { ChaosFront } from './front.js';
import { type Latencies, MAX_RATIO, type Slow, STEP_MS, WINDOW_MS } from './latencies.js';
import { now } from './messages.js';
import { residentOf } from './proc.js';
import { crowded, type Shares, sharesBetween, type Ticks, ticks } from './processor.js';
import { rest } from './rest.js';

const AUDIT_MS = 5000;
/** Victims report their samples in batches. */
const REPORTED_AFTER_MS = 500;
/** The maximum time of a victim without any answer, on a busy machine. */
const MAX_SILENT_MS = 10_000;

/** A description of a violation. */
export function slowness({ victim, request, requests, slower, pingRatio }: Slow): string {
  const when =
    pingRatio === undefined ? '' : ` in 4 s; an idle process's p99 was ${pingRatio.toFixed(1)} times`;
  return `${slower} of ${requests} times ${request} of victim ${victim} took longer than ${MAX_RATIO} times the p99 without attack${when}`;
}

export interface Watched {
  readonly daemon: ChaosDaemon;
  readonly front: ChaosFront;
  readonly auditor: Auditor;
  readonly fleet: Fleet;
  readonly latencies: Latencies;
  readonly chronicle: Chronicle;
}

export class Watch {
  /** The number of audits, and of those for which no consistent moment was found. */
  readonly audits = { done: 0, unsettled: 0 };
  /** The maximum of resident memory. */
  peakKb = 0;
  /** For each window, the share of processor time of other processes. */
  readonly foreign: number[] = [];
  readonly #watched: Watched;
  readonly #ticks: { readonly atMs: number; readonly ticks: Ticks }[] = [];

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  /** @param judged whether latencies are judged. */
  async run(judged: boolean, signal: AbortSignal): Promise<void> {
    const { daemon, fleet, chronicle } = this.#watched;
    const began = now();
    let audited = began;
    while (!signal.aborted) {
      await rest(STEP_MS, signal);
      if (signal.aborted) return;
      this.peakKb = Math.max(this.peakKb, residentOf(daemon.pid).total);
      for (const shared of sharedMemory(fleet.outsiders())) chronicle.fail(shared);
      const toMs = now() - REPORTED_AFTER_MS;
      const shares = this.#processors(toMs - WINDOW_MS);
      if (judged && toMs - WINDOW_MS > began) this.#judge(toMs, shares);
      if (judged) this.#listen(Math.max(began, audited, daemon.stops.at(-1)?.toMs ?? 0));
      if (now() - audited < AUDIT_MS) continue;
      await this.audit();
      audited = now();
    }
  }

  #judge(toMs: number, shares: Shares): void {
    const { daemon, latencies, chronicle } = this.#watched;
    this.foreign.push(shares.foreign);
    const slow = latencies.judge(toMs, daemon.stops, crowded(shares));
    for (const one of slow) chronicle.recordSlow(slowness(one));
  }

  /** @param sinceMs from then on victims could send requests. */
  #listen(sinceMs: number): void {
    const { latencies, chronicle } = this.#watched;
    for (const [victim, heardMs] of latencies.heardMs.entries()) {
      const silentMs = now() - Math.max(heardMs, sinceMs);
      if (silentMs > MAX_SILENT_MS) {
        chronicle.fail(`victim ${victim} has had no answer for ${Math.round(silentMs)} ms`);
      }
    }
  }

  /** The use of the processors since about then. */
  #processors(sinceMs: number): Shares {
    const last = { atMs: now(), ticks: ticks() };
    this.#ticks.push(last);
    while ((this.#ticks[1]?.atMs ?? Number.POSITIVE_INFINITY) < sinceMs) this.#ticks.shift();
    return sharesBetween((this.#ticks[0] ?? last).ticks, last.ticks);
  }

  async audit(): Promise<void> {
    const { auditor, fleet, chronicle } = this.#watched;
    try {
      await fleet.rest();
      const account = await auditor.account();
      if (account) {
        this.audits.done += 1;
        for (const wrong of auditor.check(account)) chronicle.fail(wrong);
      } else {
        this.audits.unsettled += 1;
      }
    } finally {
      fleet.resume();
    }
  }
}
