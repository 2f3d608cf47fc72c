/** The part of docs/performance.md about a GPU, and its report. Samples of single rounds are left out. */
import { type Report, ROWS, type Row } from '../gpu/rows.js';

const cell = (value: number | null): string => (value === null ? '' : String(Number(value.toPrecision(4))));

function line(row: Row): string {
  const { name, vkmemd, native, ratio, unit, goal, met, skipped, note } = row;
  if (skipped !== undefined) return `| ${name} | not measured: ${skipped} | | | ${goal ?? ''} |`;
  const figure = (value: number | null) => (value === null ? '' : `${cell(value)} ${unit}`);
  const state = goal === null || met === null ? '' : met ? ', met' : ', **missed**';
  const goals = [goal === null ? '' : `${goal}${state}`, note ?? ''].filter(Boolean).join('; ');
  return `| ${name} | ${figure(vkmemd)} | ${figure(native)} | ${cell(ratio)} | ${goals} |`;
}

/** The generated part. @param report undefined: nothing was taken over yet. */
export function partOf(report: Report | undefined): string {
  if (!report)
    return 'No report of a GPU is recorded yet. [verified.md](verified.md) has the figures of test runs.';
  const { device, driver, cuda, kernel, cpus, node, date, rounds, seconds, rows } = report;
  const about = [
    device,
    driver,
    cuda && `CUDA ${cuda}`,
    `Linux ${kernel}`,
    `${cpus} CPUs`,
    `Node.js ${node.slice(1)}`,
  ];
  return [
    `${about.filter(Boolean).join(', ')}, on ${date}. Medians, rounds: ${rounds}; the whole run took ${seconds} s.`,
    '',
    '| measured | vkmemd | native | ratio | goal |',
    '|---|---|---|---|---|',
    ...rows.map(line),
  ].join('\n');
}

/** A report as it is recorded. @throws Error if it is none. */
export function recorded(text: string): string {
  const report: Report = JSON.parse(text);
  const ids = Object.keys(ROWS);
  const same = report.rows?.length === ids.length && report.rows.every(({ id }, at) => id === ids[at]);
  if (!same || !/^\d{4}-\d\d-\d\d$/.test(report.date) || !report.device || !report.driver) {
    throw new Error('this is no report of `bench:gpu --json`, or one of another version');
  }
  const rows = report.rows.map(({ samples: _, ...row }) => row);
  return `${JSON.stringify({ ...report, rows }, null, 2)}\n`;
}
