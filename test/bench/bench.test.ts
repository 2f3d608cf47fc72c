/**
 * The benchmark: a short run prints one JSON object with the documented fields, and ratios that are worse are
 * found. No latency is asserted, because a test must not depend on the load of the machine.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { baseOf, undecided, verdictLines, verdictsOf } from '#bench/compare.js';
import { boundText, isMet } from '#bench/goals.js';
import { KEY_NAMES } from '#bench/keys.js';
import { numbersOf } from '#bench/machine.js';
import { performed } from '#bench/operations/operation.js';
import { missed, type Report, reportOf } from '#bench/report.js';
import { estimate, median, quantile } from '#bench/samples.js';
import type { Measured } from '#bench/start.js';
import { agreed, RATIO_NAMES } from '#bench/starts.js';
import { table } from '#bench/table.js';
import { driverUnderTest, plainEnvironment, root, temporaryFolder } from '../support/daemon.js';

const FIGURES = {
  p50: Number,
  p99: Number,
  mean: Number,
  spread: Number,
  processor: { client: Number, daemon: Number },
  iterations: Number,
};
const MACHINE = { cpu: 'a cpu', pinnedTo: '1', cpus: 2, kernel: '6.1', node: 'v24.0.0' };

function bench(tmp: string, ...args: string[]) {
  const env = { ...plainEnvironment(), VK_DRIVER_FILES: driverUnderTest(), TMPDIR: tmp };
  return spawnSync(process.execPath, [join(root, 'bench/dist/main.js'), ...args], {
    env,
    encoding: 'utf8',
    timeout: 100_000,
  });
}

/** A start in which a floor takes 10 us, and an operation `factor` times as long, give or take some noise. */
function start(factor: number, noise = 0): Measured {
  const round = (us: number) => ({
    p50: us,
    p99: us,
    mean: us,
    client: us / 2,
    daemon: us / 2,
    iterations: 10,
  });
  const rounds = (us: number) => [us, us * (1 + noise), us * (1 + noise / 2), us * 1.01].map(round);
  return {
    device: 'a device',
    floor: { claim: rounds(10), allocate: rounds(10) },
    operations: {
      claim: rounds(10 * factor),
      wireClaim: rounds(100),
      allocate: rounds(300),
      grpcAllocate: rounds(600),
    },
  };
}

const about = {
  date: '2026-12-04',
  options: '',
  payloadBytes: 65_536,
  seconds: 100,
  quick: false,
  machine: MACHINE,
  device: 'a device',
};
const reported = (starts: readonly Measured[]): Report => reportOf(starts, {}, about);
const verdictOf = (base: readonly Measured[], now: readonly Measured[]) =>
  verdictsOf(reported(base).ratios, now).map(({ name, worse }) => (worse ? name : ''));

const compiler = spawnSync(process.env.CC ?? 'cc', ['--version']);
const noCompiler = compiler.error ? `no C compiler here: ${compiler.error.message}` : false;

t.test('--quick --json prints one object', { skip: noCompiler }, async (t) => {
  const tmp = temporaryFolder(t);
  chmodSync(tmp, 0o755); // for those that hold sessions and allocations, which are other users
  const { status, stdout, stderr } = bench(tmp, '--quick', '--json', '--check');
  const report = JSON.parse(stdout);
  const failed = missed(report);
  t.equal(status, failed.length > 0 ? 1 : 0, stderr);
  if (failed.length > 0) t.match(stderr, `missed: ${failed.join(', ')}\n`);
  const operations = ['claim', 'wireClaim', 'reclaim', 'allocate', 'grpcAllocate', 'grpcGet'];
  t.match(report, {
    floor: { claim: FIGURES, allocate: FIGURES, grpc: FIGURES },
    measured: Object.fromEntries(operations.map((name) => [name, FIGURES])),
    payloadBytes: 65_536,
    starts: 1,
    quick: true,
    device: /./,
    machine: { cpu: /./, pinnedTo: /^\d+$/, cpus: Number, kernel: /./, node: process.version },
  });
  t.strictSame(Object.keys(report.keys), KEY_NAMES, 'every key is there');
  const noRedis = spawnSync('redis-server', ['--version']).error !== undefined;
  for (const key of KEY_NAMES) {
    const { value, reason } = report.keys[key];
    t.ok(value !== null || (key === 'handoverVsRedis64MiB' && noRedis), `${key} is measured`);
    t.equal(report.ratios[key] ?? null, value, key);
    if (value === null) t.match(reason, /./, `${key}: a reason`);
    else t.ok(Number.isFinite(value), `${key} is a number`);
  }
  for (const { processor } of Object.values<typeof FIGURES>(report.measured)) {
    t.ok(Number(processor.client) > 0 && Number(processor.daemon) > 0, 'processor time of both');
  }
  t.match(table(report), /^claim .* x$/m);
  t.throws(() => baseOf(report, RATIO_NAMES), /--quick/, 'it is no base to compare with');
  t.strictSame(readdirSync(tmp), [], 'no file is left');
});

t.test('--only measures the keys that it names', { skip: noCompiler }, async (t) => {
  const tmp = temporaryFolder(t);
  const { status, stdout, stderr } = bench(
    tmp,
    '--quick',
    '--json',
    '--only',
    'rssIdleMiB,handoverSizeGrowth',
  );
  t.equal(status, 0, stderr);
  const { ratios, measured, device, keys } = JSON.parse(stdout);
  t.strictSame(Object.keys(ratios), ['handoverSizeGrowth', 'rssIdleMiB']);
  t.strictSame(Object.keys(measured), ['claim1MiB', 'claim1GiB']);
  t.match(device, /./);
  t.match(keys.claimVsFloor, { value: null, met: null, reason: 'it was not chosen' });
  const one = bench(tmp, '--quick', '--only', 'rssIdleMiB');
  t.match(one.stdout, /^rssIdleMiB .* MiB .*<= 80 MiB/m);
  t.notMatch(one.stdout, 'claimVsFloor');
  t.match(bench(tmp, '--quick', '--only', 'sessions10k').stdout, /^sessions10k .* with 100 sessions/m);
  const [program = '', ...args] = [join(root, 'bench/dist/main.js'), '--quick', '--json', '--only'];
  const short = spawnSync(
    'prlimit',
    ['--fsize=100000000', process.execPath, program, ...args, 'handoverSizeGrowth,rssIdleMiB'],
    { env: { ...plainEnvironment(), VK_DRIVER_FILES: driverUnderTest(), TMPDIR: tmp }, encoding: 'utf8' },
  );
  const failed = JSON.parse(short.stdout);
  t.match(failed.keys.handoverSizeGrowth, { value: null, met: null, reason: /RLIMIT_FSIZE leaves/ });
  t.match(failed.keys.claimVsFloor, { reason: 'it was not chosen' });
  t.ok(failed.keys.rssIdleMiB.value > 0, 'what fails does not keep the others from being measured');
  t.strictSame(readdirSync(tmp), [], 'no file is left');
});

t.test('wrong use ends it before anything is started', async (t) => {
  const tmp = temporaryFolder(t);
  const other = join(tmp, 'other.json');
  writeFileSync(
    other,
    JSON.stringify({ ...reported([start(10)]), machine: { ...MACHINE, pinnedTo: '0,1' } }),
  );
  const broken = join(tmp, 'broken.json');
  writeFileSync(broken, '{"ratios":{"claimVsFloor":"10"}}');
  for (const [args, text] of [
    [['--fast'], /Unknown option '--fast'/],
    [['--only', 'claimVsFloor,fast'], /no key fast; the keys are claimVsFloor, /],
    [['--cpus', '0'], /--cpus 0 is not a number from 1 on/],
    [['--quick', '--compare', other], /--quick measures too little/],
    [['--compare', join(tmp, 'none')], /none: ENOENT/],
    [['--compare', broken], /ratios.claimVsFloor is not a positive number/],
    [['--compare', other], /measured with --cpus 2, this is --cpus 1/],
  ] as const) {
    const { status, stdout, stderr } = bench(tmp, ...args);
    t.strictSame({ status, stdout }, { status: 2, stdout: '' }, args.join(' '));
    t.match(stderr, text);
  }
  t.match(bench(tmp, '--help'), { status: 0, stdout: /--compare FILE/ });
  t.match(bench(tmp, '--cpus', '9999'), { status: 3, stderr: /this process may use \d+ processors/ });
});

t.test('a ratio that is 15 % worse is found, noise is not', async (t) => {
  const base = [start(10), start(10.1), start(9.9), start(10.2), start(10)];
  t.strictSame(verdictOf(base, [start(10.3), start(10.4), start(9.8)]), ['', '', '', '']);
  t.strictSame(verdictOf(base, [start(11.5), start(11.6), start(11.4)]), ['claimVsFloor', '', '', '']);
  t.strictSame(verdictOf(base, [start(12), start(12.1), start(11.9)]), ['claimVsFloor', '', '', '']);
  t.strictSame(verdictOf(base, [start(8), start(8.1), start(7.9)]), ['', '', '', ''], 'better is not worse');
  const disturbed = [start(10), start(14), start(10.1), start(25, 3), start(10.1), start(9.9)];
  t.strictSame(verdictOf(base, disturbed), ['', '', '', ''], 'starts that others disturbed');
  t.strictSame(
    verdictOf(
      disturbed,
      base.map(() => start(12)),
    ),
    ['claimVsFloor', '', '', ''],
  );
  const verdicts = verdictsOf(reported(base).ratios, [start(12), start(12.1)]);
  t.match(verdictLines(verdicts)[0], /^WORSE claimVsFloor: 12\.05, base 10\.0\d: (19|20)\.\d % worse/);
});

t.test('starts are repeated until they agree and are not near the limit', async (t) => {
  const { ratios } = reported([start(10)]);
  t.equal(agreed([start(10), start(10.1), start(10.2)]), true);
  t.equal(agreed([start(10), start(12), start(17)]), false);
  t.equal(undecided(verdictsOf(ratios, [start(11.1), start(11.4)])), true);
  t.equal(undecided(verdictsOf(ratios, [start(10), start(10.2)])), false);
  t.equal(undecided(verdictsOf(ratios, [start(12), start(12.2)])), false);
});

t.test('goals', async (t) => {
  const measured = {
    values: { sessions10k: 1.4, sessions10kKiB: 13 },
    reasons: { sessions10k: 'with 100', sessions10kKiB: 'with 100' },
    details: { held: 100 },
  };
  const crowd = { values: { requestsPerCpu: 0.3 }, details: {} };
  const report = reportOf([start(3)], { sessions: measured, crowd, ledger: 'no memory' }, about);
  t.match(report.keys, {
    claimVsFloor: { value: 3, unit: 'x', goal: '<= 4 x', moonshot: 2.5, met: true },
    allocateVsFloor: { value: 30, goal: '<= 7 x', moonshot: null, met: false },
    wireClaimVsFloor: { value: 10, goal: null, met: null },
    reclaimVsFloor: { value: null, met: null, reason: 'it was not chosen' },
    requestsPerCpu: { value: 0.3, goal: '>= 0.25 x', met: true },
    sessions10k: { value: 1.4, met: null, reason: 'with 100' },
    sessions10kKiB: { value: 13, unit: 'KiB', met: false, reason: 'with 100' },
    ledger50k: { value: null, met: null, reason: 'no memory' },
    ledger50kKiB: { value: null, met: null, reason: 'no memory' },
  });
  t.strictSame(missed(report), ['allocateVsFloor', 'sessions10kKiB']);
  const { claimVsFloor, requestsPerCpu, reclaimVsFloor } = report.ratios;
  t.strictSame([claimVsFloor, requestsPerCpu, reclaimVsFloor], [3, 0.3, undefined]);
  t.strictSame(report.details, { sessions: { held: 100 }, crowd: {} });
  const shown = table(report);
  t.match(shown, /^claimVsFloor +3 x {2}<= 4 x, met; moonshot 2\.5$/m);
  t.match(shown, /^sessions10kKiB +13 KiB {2}<= 12 KiB, MISSED; with 100$/m);
  t.match(shown, /^ledger50k +- {2}<= 1\.2 x; no memory$/m);
  t.notMatch(shown, 'reclaimVsFloor', 'what was not chosen');
  t.strictSame([boundText({ atMost: 4 }, 'x'), boundText({ atLeast: 50 }, 'x')], ['<= 4 x', '>= 50 x']);
  t.strictSame([isMet({ atMost: 4 }, 4), isMet({ atLeast: 5 }, 4.9)], [true, false]);
});

t.test('an operation that is slow has fewer cycles in a sample', async (t) => {
  const operation = (ms: number) => ({
    cycle: () => new Promise<void>((resolve) => setTimeout(resolve, ms)),
    async [Symbol.asyncDispose]() {},
  });
  t.equal((await performed(operation(30), 10, () => 0)).latencies.length, 2);
  let confirmed = 0;
  const confirm = async () => {
    confirmed += 1;
  };
  const quick = { ...operation(0), cycle: async () => {}, confirm };
  const { latencies, daemon } = await performed(quick, 10, () => 5);
  t.strictSame([latencies.length, daemon, confirmed], [10, 0, 1]);
});

t.test('a base without some of the ratios', async (t) => {
  const { ratios } = reported([start(10)]);
  const old = { ratios: { claimVsFloor: ratios.claimVsFloor }, machine: MACHINE };
  t.ok(baseOf(old, RATIO_NAMES), 'it has one of them');
  const verdicts = verdictsOf(old.ratios as typeof ratios, [start(12)]);
  t.strictSame(
    verdicts.map(({ name, worse }) => [name, worse]),
    [['claimVsFloor', true]],
  );
  t.throws(() => baseOf(old, ['reclaimVsFloor']), /none of the ratios reclaimVsFloor/);
});

t.test('figures', async (t) => {
  t.strictSame([median([3, 1, 2]), median([4, 1, 2, 3]), quantile([1, 2, 3, 4], 0.5)], [2, 2.5, 3]);
  const { value, error } = estimate([10, 9, 11, 10]);
  t.equal(value, 10);
  t.ok(Math.abs(error - (1.2533 * (1 / 1.349)) / 2 / 10) < 1e-9, `${error}`);
  t.strictSame(estimate([7]), { value: 7, error: 0 });
  t.strictSame(numbersOf('0-2,5'), [0, 1, 2, 5]);
  t.throws(() => median([]));
});
