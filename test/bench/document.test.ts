/** The page about performance and its charts are those that are generated from the recorded report of the benchmark. */
import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { type Chart, svgOf } from '#bench/document/chart.js';
import { chartsOf, partOf, recorded } from '#bench/document/cpu.js';
import { dataOf, docs, PAGE, readReport, withPart } from '#bench/document/page.js';
import { KEY_NAMES } from '#bench/keys.js';
import { type Report, reportOf } from '#bench/report.js';

const FIGURES = { p50: 100, p99: 200, mean: 110, client: 40, daemon: 60, iterations: 10 };
const about = {
  ...{ date: '2026-12-04', options: '--json', payloadBytes: 65_536, seconds: 100, quick: false },
  machine: { cpu: 'a cpu', pinnedTo: '1', cpus: 2, kernel: '6.1', node: 'v24.0.0' },
  device: 'a device',
};

/** With a claim of 100 us, twice the floor, and some keys of others. */
function sample(): Report {
  const half = { ...FIGURES, p50: 50 };
  const start = { device: 'a device', floor: { claim: [half] }, operations: { claim: [FIGURES] } };
  const grown = { few: { p50: 100, p99: 150 }, many: { p50: 120, p99: 300 } };
  const coreParts = { 'Node.js': 44.25, anonymous: 30, stack: 0.01 };
  const outcomes = {
    sessions: { values: { sessions10k: 2 }, reasons: { sessions10k: 'with 100 sessions' }, details: grown },
    crowd: { values: { requestsPerCpu: 0.5 }, details: {} },
    resident: { values: { rssIdleMiB: 75 }, details: { coreParts, driverParts: { malloc: 4 } } },
    idle: { values: { idleWakeups: 2 }, details: { bySecond: { 'core: MainThread': 2 } } },
    ledger: 'no memory',
  };
  return reportOf([start], outcomes, about);
}

t.test('the page is that of the recorded report', async (t) => {
  const page = readFileSync(PAGE, 'utf8');
  const report = readReport<Report>('cpu');
  t.equal(withPart(page, 'cpu', partOf(report)), page, 'npm run docs:performance has no more to write');
  const charts = chartsOf(report);
  for (const [name, svg] of charts) t.equal(readFileSync(docs(name), 'utf8'), svg, name);
  const files = readdirSync(docs('')).filter((name) => /^performance-.*\.svg$/.test(name));
  t.strictSame(files.sort(), charts.map(([name]) => name).sort(), 'no chart of before is left');
  if (report) t.equal(recorded(JSON.stringify(report)), readFileSync(dataOf('cpu'), 'utf8'));
});

t.test('the part of a report', async (t) => {
  const part = partOf(sample());
  t.match(
    part,
    'a device, a cpu, Linux 6.1, Node.js 24.0.0, on 2026-12-04: `npm run --silent bench -- --json`, 1 starts, 100 s.',
  );
  const rows = part.split('\n').filter((line) => line.startsWith('| `'));
  t.equal(rows.length, KEY_NAMES.length, 'every key is there');
  const row = (key: string) => rows.find((line) => line.startsWith(`| \`${key}\``));
  t.match(row('claimVsFloor'), / \| 2 x \| <= 4 x, met \| 2\.5 \|$/);
  t.match(row('sessions10k'), / \| 2 x \(with 100 sessions\) \| <= 1\.5 x, \*\*missed\*\* \| {2}\|$/);
  t.match(row('ledger50k'), / \| not measured: no memory \| <= 1\.2 x \| {2}\|$/);
  t.match(row('wireClaimVsFloor'), / \| not measured: it was not chosen \| {2}\| {2}\|$/);
  t.match(part, '\n| claim in C | 50 | 200 | 40 | 60 |  |\n| claim | 100 | 200 | 40 | 60 | 2 |\n');
  t.match(
    part,
    'Resident memory of the idle core: Node.js 44.25, anonymous 30 MiB; of the program in C: malloc 4 MiB.',
  );
  t.match(part, 'Wake-ups of the idle daemon: core: MainThread 2 a second.');
  t.match(part, '![Measured figures by their goals](performance-goals.svg)');
  t.match(partOf(undefined), 'No report is recorded yet.');
  t.strictSame(chartsOf(undefined), []);
});

t.test('charts', async (t) => {
  const charts = new Map(chartsOf(sample()).map(([name, svg]) => [name, svg]));
  t.strictSame(
    [...charts.keys()],
    ['performance-goals.svg', 'performance-time.svg', 'performance-growth.svg'],
  );
  const goals = charts.get('performance-goals.svg') ?? '';
  t.match(goals, />claimVsFloor<[\s\S]*class="met"[\s\S]*>2 x; &lt;= 4 x</);
  t.match(goals, />sessions10k<[\s\S]*class="missed"/);
  t.match(charts.get('performance-time.svg'), />claim in C<[\s\S]*>50 us in all<[\s\S]*>100 us in all</);
  t.match(charts.get('performance-growth.svg'), />1 session<[\s\S]*>p99 150 us<[\s\S]*>p99 300 us</);
  for (const [name, svg] of charts) {
    t.notMatch(svg, /NaN|undefined|Infinity/, name);
    const opened = svg.match(/<(?!\/)[a-z]+[^>]*[^/]>/g) ?? [];
    t.equal(opened.length, (svg.match(/<\/[a-z]+>/g) ?? []).length, `${name}: every element ends`);
  }
});

t.test('the axis of a chart', async (t) => {
  const chart = (scale: Chart['scale'], ...values: number[]): Chart => ({
    ...{ title: 'A <title>', description: '', scale, tick: String },
    bars: values.map((value) => ({ label: 'a', segments: [{ value, colour: 'met' }], text: '' })),
  });
  const linear = svgOf(chart('linear', 80, 40));
  t.match(linear, /x="210" y="84" width="520"[\s\S]*x="210" y="110" width="260"/);
  t.match(linear, '>20</text>');
  t.match(linear, 'A &lt;title&gt;');
  const logarithmic = svgOf(chart('logarithmic', 100, 1));
  t.match(logarithmic, /width="520"/);
  t.match(logarithmic, '>0.1</text>');
  t.notMatch(svgOf(chart('linear')), 'NaN', 'nothing to show');
});

t.test('what is recorded', async (t) => {
  const text = JSON.stringify(sample());
  t.strictSame(JSON.parse(recorded(text)), JSON.parse(text));
  t.throws(() => recorded('{}'), /no report/);
  t.throws(() => recorded(JSON.stringify({ ...sample(), quick: true })), /--quick/);
  t.throws(() => recorded(JSON.stringify({ ...sample(), keys: {} })), /no report/);
  t.throws(() => withPart('# A page\n', 'cpu', ''), /lacks the markers/);
});
