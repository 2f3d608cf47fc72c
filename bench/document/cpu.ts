/** The part of docs/performance.md about requests, its charts, and its report. */
import type { Bound } from '../goals.js';
import { definitionOf, KEY_NAMES, type KeyName } from '../keys.js';
import { FLOORS, type FloorName, OPERATION_NAMES, type OperationName } from '../operations/index.js';
import type { KeyResult, Report } from '../report.js';
import type { Figures } from '../samples.js';
import { type Bar, type Chart, type Segment, svgOf } from './chart.js';

const number = (value: number): string => String(Number(value.toPrecision(4)));
const figure = (value: number, unit: string): string => `${number(value)} ${unit}`;

/** What the operations and floors are called in tables and charts. */
const TITLES: Readonly<Record<OperationName, string>> = {
  claim: 'claim',
  wireClaim: 'claim without the library',
  reclaim: 'claim of held memory',
  allocate: 'allocate',
  grpcAllocate: 'allocate by gRPC',
  grpcGet: 'GetAllocation by gRPC',
  claim1MiB: 'claim of 1 MiB',
  claim1GiB: 'claim of 1 GiB',
};
const FLOOR_TITLES: Readonly<Record<FloorName, string>> = {
  claim: 'claim in C',
  allocate: 'allocate in C',
  grpc: 'empty call of gRPC',
};

function keyLine(key: KeyName, { value, unit, goal, moonshot, met, reason }: KeyResult): string {
  const { what } = definitionOf(key);
  const measured = value === null ? `not measured: ${reason}` : figure(value, unit);
  const state = met === null ? '' : met ? ', met' : ', **missed**';
  const note = value === null || reason === undefined ? '' : ` (${reason})`;
  const goals = goal === null ? '' : `${goal}${state}`;
  return `| \`${key}\` | ${what} | ${measured}${note} | ${goals} | ${moonshot ?? ''} |`;
}

function figuresLine(name: string, { p50, p99, processor }: Figures, vsFloor = ''): string {
  const cells = [p50, p99, processor.client, processor.daemon].map(number);
  return `| ${name} | ${cells.join(' | ')} | ${vsFloor} |`;
}

function figureLines({ floor, measured }: Report): string[] {
  return [
    ...FLOORS.flatMap((name) => (floor[name] ? [figuresLine(FLOOR_TITLES[name], floor[name])] : [])),
    ...OPERATION_NAMES.flatMap((name) => {
      const figures = measured[name];
      return figures ? [figuresLine(TITLES[name], figures, number(figures.vsFloor))] : [];
    }),
  ];
}

/** A measurement's details of this name: figures by what they are of. */
function figuresOf(details: Readonly<Record<string, unknown>> | undefined, name: string): [string, number][] {
  const { [name]: found } = details ?? {};
  if (typeof found !== 'object' || found === null) return [];
  return Object.entries(found).filter((entry): entry is [string, number] => typeof entry[1] === 'number');
}

const listed = (figures: readonly (readonly [string, number])[], unit: string): string =>
  [...figures]
    .sort(([, one], [, other]) => other - one)
    .filter(([, value]) => value >= 0.1)
    .map(([what, value]) => `${what} ${number(value)}`)
    .join(', ') + (figures.length > 0 ? ` ${unit}` : '');

function whereLines({ details }: Report): string[] {
  const core = listed(figuresOf(details.resident, 'coreParts'), 'MiB');
  const driver = listed(figuresOf(details.resident, 'driverParts'), 'MiB');
  const wakes = listed(figuresOf(details.idle, 'bySecond'), 'a second');
  return [
    ...(core ? ['', `Resident memory of the idle core: ${core}; of the program in C: ${driver}.`] : []),
    ...(wakes ? ['', `Wake-ups of the idle daemon: ${wakes}.`] : []),
  ];
}

/** The generated part. @param report undefined: nothing was recorded yet. */
export function partOf(report: Report | undefined): string {
  if (!report) return 'No report is recorded yet.';
  const { device, machine, date, starts, seconds, options, keys } = report;
  const about = [device, machine.cpu, `Linux ${machine.kernel}`, `Node.js ${machine.node.slice(1)}`];
  const command = `npm run --silent bench -- ${options}`.trimEnd();
  return [
    `${about.join(', ')}, on ${date}: \`${command}\`, ${starts} starts, ${seconds} s.`,
    '',
    '| key | what | measured | goal | moonshot |',
    '|---|---|---|---|---|',
    ...KEY_NAMES.map((key) => keyLine(key, keys[key])),
    '',
    ...chartsOf(report).map(([name, , title]) => `![${title}](${name})`),
    '',
    'Microseconds of a cycle, and of processor time in it:',
    '',
    '| | p50 | p99 | client | daemon, or floor | to its floor |',
    '|---|---|---|---|---|---|',
    ...figureLines(report),
    ...whereLines(report),
  ].join('\n');
}

/** How far a value is from its goal: 1 is the goal, less is better. */
const distance = ({ atMost, atLeast = 0 }: Bound, value: number): number =>
  atMost === undefined ? atLeast / value : value / atMost;

function goalBars({ keys }: Report): Bar[] {
  return KEY_NAMES.flatMap((key): Bar[] => {
    const { goal: bound, moonshot, unit } = definitionOf(key);
    const { value, goal, met } = keys[key];
    if (value === null || !(value > 0) || !bound || goal === null) return [];
    const colour = met === null ? 'floor' : met ? 'met' : 'missed';
    return [
      {
        label: key,
        segments: [{ value: distance(bound, value), colour }],
        mark: moonshot === undefined ? undefined : distance(bound, moonshot),
        text: `${figure(value, unit)}; ${goal}`,
      },
    ];
  });
}

const goalChart = (report: Report): Chart => ({
  title: 'Measured figures by their goals',
  description: 'Bars that end left of the dashed line meet their goal. A mark on a bar is its moonshot.',
  scale: 'logarithmic',
  tick: (value) => `${number(value)} x`,
  bars: goalBars(report),
  line: 1,
  legend: [
    ['met', 'met'],
    ['missed', 'missed'],
    ['floor', 'not decided'],
  ],
});

/** Those whose times can be compared in one linear scale. */
const TIMED = ['claim', 'wireClaim', 'reclaim', 'allocate'] as const;

function timeBars({ floor, measured }: Report): Bar[] {
  const bar = (label: string, { p50, processor }: Figures): Bar => ({
    label,
    segments: [
      { value: processor.client, colour: 'client' },
      { value: processor.daemon, colour: 'daemon' },
    ],
    text: `${figure(p50, 'us')} in all`,
  });
  return [
    ...(['claim', 'allocate'] as const).flatMap((name) =>
      floor[name] ? [bar(FLOOR_TITLES[name], floor[name])] : [],
    ),
    ...TIMED.flatMap((name) => (measured[name] ? [bar(TITLES[name], measured[name])] : [])),
  ];
}

const timeChart = (report: Report): Chart => ({
  title: 'Where the time goes',
  description: 'Processor time of one cycle in microseconds; the server in C counts as the daemon.',
  scale: 'linear',
  tick: (value) => `${number(value)} us`,
  bars: timeBars(report),
  legend: [
    ['client', 'client'],
    ['daemon', 'daemon'],
  ],
});

interface Pair {
  readonly source: 'sessions' | 'ledger' | 'neighbour';
  readonly names: readonly [string, string];
  readonly labels: readonly [string, string];
  readonly of: 'p50' | 'p99';
}

const PAIRS: readonly Pair[] = [
  { source: 'sessions', names: ['few', 'many'], labels: ['1 session', 'many sessions'], of: 'p99' },
  { source: 'ledger', names: ['few', 'many'], labels: ['1 000 allocations', 'many allocations'], of: 'p50' },
  { source: 'neighbour', names: ['alone', 'disturbed'], labels: ['alone', 'beside neighbours'], of: 'p99' },
];

function growthBars({ measured, details }: Report): Bar[] {
  const bar = (label: string, value: number, colour: Segment['colour'], of: string): Bar => ({
    label,
    segments: [{ value, colour }],
    text: `${of} ${figure(value, 'us')}`,
  });
  const sizes = (['claim1MiB', 'claim1GiB'] as const).flatMap((name, index) => {
    const figures = measured[name];
    return figures ? [bar(TITLES[name], figures.p50, index ? 'daemon' : 'floor', 'p50')] : [];
  });
  const pairs = PAIRS.flatMap(({ source, names, labels, of }) =>
    names.flatMap((name, index) => {
      const [, value] = figuresOf(details[source], name).find(([what]) => what === of) ?? [];
      return value === undefined ? [] : [bar(labels[index] ?? name, value, index ? 'daemon' : 'floor', of)];
    }),
  );
  return [...sizes, ...pairs];
}

const growthChart = (report: Report): Chart => ({
  title: 'A claim as everything grows',
  description: 'Each dark bar is to be as long as the grey one above it.',
  scale: 'logarithmic',
  tick: (value) => `${number(value)} us`,
  bars: growthBars(report),
});

/** The files beside the page: name, SVG and title. None without a report. */
export function chartsOf(report: Report | undefined): [name: string, svg: string, title: string][] {
  if (!report) return [];
  const charts = { goals: goalChart(report), time: timeChart(report), growth: growthChart(report) };
  return Object.entries(charts)
    .filter(([, { bars }]) => bars.length > 0)
    .map(([name, chart]) => [`performance-${name}.svg`, svgOf(chart), chart.title]);
}

/** A report as it is recorded. @throws Error if it is none, or too little was measured. */
export function recorded(text: string): string {
  const report: Report = JSON.parse(text);
  const keys = Object.keys(report.keys ?? {});
  const same = keys.length === KEY_NAMES.length && KEY_NAMES.every((key, at) => key === keys[at]);
  if (!same || !/^\d{4}-\d\d-\d\d$/.test(report.date) || !report.device || !report.machine) {
    throw new Error('this is no report of `bench --json`, or one of another version');
  }
  if (report.quick) throw new Error('it was measured with --quick, which measures too little');
  return `${JSON.stringify(report, null, 2)}\n`;
}
