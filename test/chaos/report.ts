/** The results of a run, as text or as one JSON object. */
import { type Course, MAX_RATIO, quantile } from './latencies.js';
import type { Result, RunOptions } from './run.js';

export interface Report {
  readonly seed: string;
  readonly driver: string;
  readonly device: string;
  readonly minutes: number | undefined;
  /** Whether there is neither a violated invariant nor a latency above its limit. */
  readonly held: boolean;
  /** The violated invariants, without latencies. */
  readonly breaches: readonly string[];
  /** The latencies above their limits. */
  readonly slow: readonly string[];
  /** The latest actions, if not everything held. */
  readonly lastActions: readonly string[];
  readonly actions: number;
  readonly outcomes: Result['chronicle']['outcomes'];
  readonly latencies: readonly Course[];
  readonly windows: Result['latencies']['windows'];
  /** The share of processor time of other processes: the median and the maximum of the windows. */
  readonly foreign: { readonly median: number; readonly max: number } | null;
  readonly audits: Result['audits'];
  readonly stops: number;
  /** The number of bytes that victims compared, and their refused requests. */
  readonly verifiedBytes: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly left: number;
  readonly resident: Result['resident'] | null;
  readonly front: Result['front'];
  readonly faults: Result['faults'];
}

export function reportOf(options: RunOptions, result: Result): Report {
  const { seed, driver, minutes, actions } = options;
  const { chronicle, latencies, victims } = result;
  const refused: Record<string, number> = {};
  for (const [code, count] of victims.flatMap((victim) => Object.entries(victim.refused))) {
    refused[code] = (refused[code] ?? 0) + count;
  }
  const held = chronicle.breaches.length === 0 && chronicle.slow.length === 0;
  return {
    seed,
    driver,
    device: result.device,
    minutes: actions === undefined ? minutes : undefined,
    held,
    breaches: chronicle.breaches,
    slow: chronicle.slow,
    lastActions: held ? [] : chronicle.lastActions,
    actions: chronicle.actions,
    outcomes: chronicle.outcomes,
    latencies: actions === undefined ? latencies.courses() : [],
    windows: latencies.windows,
    foreign:
      result.foreign.length > 0
        ? { median: quantile(result.foreign, 0.5), max: quantile(result.foreign, 1) }
        : null,
    audits: result.audits,
    stops: result.stops,
    verifiedBytes: victims.reduce((sum, { verified }) => sum + verified, 0),
    refused,
    left: result.left,
    resident: result.resident ?? null,
    front: result.front,
    faults: result.faults,
  };
}

const columns = (first: string, ...rest: readonly (string | number)[]): string =>
  [first.padEnd(22), ...rest.map((value) => String(value).padStart(12))].join('').trimEnd();

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

function latencyTable({ latencies, windows, foreign }: Report): string[] {
  if (latencies.length === 0) return [];
  const rows = latencies.map(({ victim, request, quietP99, worstP99, worstRatio, medianRatio }) =>
    columns(
      `${request} of victim ${victim}`,
      Math.round(quietP99),
      Math.round(worstP99),
      `${medianRatio.toFixed(2)} x`,
      `${worstRatio.toFixed(2)} x`,
    ),
  );
  const { judged, stopped, starved, sparse } = windows;
  return [
    columns('p99', 'quiet us', 'worst us', 'median', 'worst'),
    ...rows,
    `windows: ${judged} judged against ${MAX_RATIO} x; left out: ${stopped} for stops of the daemon, ${starved} for the load of the machine, ${sparse} with too few requests`,
    ...(foreign
      ? [`others had ${percent(foreign.median)} of the processors' time, ${percent(foreign.max)} at most`]
      : []),
  ];
}

const listed = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([what, count]) => `${what} ${count}`)
    .join('; ');

function frontLines({ front }: Report): string[] {
  const waits = ({ requests, slow, longestMs }: Report['front']['with']): string =>
    `${requests} requests, ${slow} above 20 ms, ${longestMs.toFixed(1)} ms at most`;
  const back = Object.entries(front.back).map(
    ([way, { median, max }]) => `${way} ${median.toFixed(0)} ms, ${max.toFixed(0)} at most`,
  );
  return [
    `the front: ${listed(front.ways) || 'undisturbed'}; gRPC back after ${back.join('; ') || 'no loss'}`,
    `handoff without a front: ${waits(front.without)}; with one: ${waits(front.with)}`,
  ];
}

/** The report as lines of text. */
export function table(report: Report): string {
  const { audits, resident, outcomes, refused, faults } = report;
  return [
    `seed ${report.seed}; ${report.device}; ${report.actions} actions; the daemon stopped ${report.stops} times`,
    ...Object.entries(outcomes).map(([name, counts]) => `  ${name.padEnd(18)} ${listed(counts)}`),
    ...latencyTable(report),
    `audits: ${audits.done} done, ${audits.unsettled} without a consistent moment`,
    `victims: ${report.verifiedBytes} bytes compared; refused: ${listed(refused) || 'nothing'}`,
    ...frontLines(report),
    `left behind by name and freed: ${report.left}`,
    ...(resident
      ? [
          `resident: ${resident.begin.total} kB, ${resident.end.total} kB at the end, ${resident.peakKb} kB at most`,
        ]
      : []),
    ...Object.entries(faults).map(([fault, count]) => `the daemon logged ${count} times: ${fault}`),
    ...report.lastActions.map((action) => `  ${action}`),
    ...report.breaches.map((breach) => `BROKEN: ${breach}`),
    ...report.slow.map((slow) => `SLOW: ${slow}`),
    report.held
      ? 'every invariant held'
      : `seed ${report.seed}: ${report.breaches.length} violated, ${report.slow.length} latencies above their limits`,
  ].join('\n');
}
