/**
 * The GPU benchmark without a GPU: every row is in the report, those that need CUDA with the reason why they were
 * skipped; and on a libcuda that is a fake every step of CUDA runs. No figure is asserted. The recorded report and
 * the page that is generated from it agree.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { uuidText } from '@vkmemd/proto';
import t from 'tap';
import { partOf, recorded } from '#bench/document/gpu.js';
import { PAGE, readReport, withPart } from '#bench/document/page.js';
import { GIB, type Report, ROWS, type Row, Rows } from '#bench/gpu/rows.js';
import { ControlWire } from '../support/control-wire.js';
import { fakeCuda } from '../support/cuda-programs.js';
import { driverUnderTest, plainEnvironment, root, startDaemon, temporaryFolder } from '../support/daemon.js';

const PROGRAM = join(root, 'bench/dist/gpu/main.js');
const IDS = Object.keys(ROWS);
const OF_CUDA = ['attach', 'copy', 'gather4', 'gather1K', 'gather16K', 'transpose', 'attachMany'];
/** Until the client library has these requests. */
const OF_LIBRARY = ['allocateMany', 'claimMany'];
const SMALL = ['--json', '--size', '16M', '--many', '2', '--rounds', '1'];

function run(args: readonly string[], env: NodeJS.ProcessEnv) {
  const environment = { ...plainEnvironment(), VK_DRIVER_FILES: driverUnderTest(), ...env };
  const options = { env: environment, encoding: 'utf8', timeout: 120_000 } as const;
  return spawnSync(process.execPath, [PROGRAM, ...args], options);
}

const skippedIn = (rows: readonly Row[]) => rows.filter(({ skipped }) => skipped !== undefined);

t.setTimeout(150_000);

t.test('without CUDA', async (t) => {
  const tmp = temporaryFolder(t);
  const empty = temporaryFolder(t);
  // Found before a library of the system, and no library.
  mkdirSync(join(empty, 'libcuda.so.1'));
  const { status, stdout, stderr } = run(SMALL, { TMPDIR: tmp, LD_LIBRARY_PATH: empty });
  t.equal(status, 0, stderr);
  const report: Report = JSON.parse(stdout);
  t.match(report, { device: /llvmpipe|SwiftShader/, cuda: '', largeBytes: 2 ** 24, many: 2, rounds: 1 });
  t.strictSame(
    report.rows.map(({ id }) => id),
    IDS,
    'every row is there',
  );
  const skipped = skippedIn(report.rows);
  t.strictSame(
    skipped.map(({ id }) => id).filter((id) => !OF_LIBRARY.includes(id)),
    OF_CUDA,
  );
  for (const { id, skipped: reason } of skipped) {
    if (id !== 'allocateMany') t.match(reason, /libcuda\.so\.1/, id);
  }
  for (const row of report.rows.filter((each) => !skipped.includes(each))) {
    t.ok(row.vkmemd !== null && row.vkmemd > 0, row.name);
    const bare = ['small', 'many', 'allocateMany'].includes(row.id);
    t.equal(row.native !== null, bare, `${row.name}: native`);
    if (row.id === 'allocate' || row.id === 'free') t.match(row.note, /libcuda\.so\.1/);
  }
  t.strictSame(readdirSync(tmp), [], 'no file is left');
});

t.test('the steps of CUDA, on a fake', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const control = new ControlWire(runtimeDir);
  const { devices } = await control.call('ListDevices', {});
  control.close();
  const uuid = uuidText(devices[0]?.deviceUuid ?? new Uint8Array()).replaceAll('-', '');
  const tmp = temporaryFolder(t);
  const env = { ...fakeCuda(temporaryFolder(t), [uuid]), TMPDIR: tmp };
  const { status, stdout, stderr } = run([...SMALL, '--phases', 'large,many'], env);
  t.equal(status, 0, stderr);
  const { rows, cuda }: Report = JSON.parse(stdout);
  t.equal(cuda, '13.0');
  const chosen = rows.filter(({ id }) => !['small', 'killed', 'killedMany', ...OF_LIBRARY].includes(id));
  t.strictSame(skippedIn(chosen), []);
  for (const { name, native, vkmemd, ratio } of chosen) {
    t.ok(vkmemd !== null && native !== null && ratio !== null && vkmemd > 0 && native > 0, name);
  }
  t.match(rows.find(({ id }) => id === 'small')?.skipped, 'its phase was not chosen');
  t.strictSame(readdirSync(tmp), [], 'no file is left');
});

t.test('a phase that fails loses no other, and ends', async (t) => {
  const tmp = temporaryFolder(t);
  // Too few for a supervisor.
  const limited = ['-c', 'ulimit -n 1024; exec "$@"', 'sh', process.execPath, PROGRAM, ...SMALL];
  const env = { ...plainEnvironment(), VK_DRIVER_FILES: driverUnderTest(), TMPDIR: tmp };
  const { status, stdout, stderr } = spawnSync('sh', [...limited, '--phases', 'steady,killed'], {
    env,
    encoding: 'utf8',
    timeout: 120_000,
  });
  t.equal(status, 0, stderr);
  const { rows }: Report = JSON.parse(stdout);
  const of = (id: string) => rows.find((row) => row.id === id);
  t.match(of('small'), { vkmemd: Number, native: Number });
  for (const id of ['killed', 'killedMany']) t.match(of(id)?.skipped, /RLIMIT_NOFILE/, id);
  t.strictSame(readdirSync(tmp), [], 'no file is left');
});

t.test('an end before the last row', async (t) => {
  const tmp = temporaryFolder(t);
  const args = ['--json', '--size', '16M', '--rounds', '1000', '--phases', 'killed', '--limit', '1'];
  const { status, stdout, stderr } = run(args, { TMPDIR: tmp });
  t.equal(status, 0, stderr);
  const { rows }: Report = JSON.parse(stdout);
  t.match(rows.find(({ id }) => id === 'killed')?.skipped, 'the benchmark took more than 1000 ms');
  t.strictSame(readdirSync(tmp), [], 'no file is left, whatever was running');
});

t.test('wrong options', async (t) => {
  for (const args of [
    ['--size', '7'],
    ['--many', '0'],
    ['--phases', 'large,some'],
    ['--rounds', 'x'],
    ['-z'],
  ]) {
    t.match(
      run(args, {}),
      { status: 2, stdout: '', stderr: /Usage: npm run --silent bench:gpu/ },
      args.join(' '),
    );
  }
});

/** A report with two rows that were measured. */
function sample(largeBytes = 64 * GIB): Report {
  const rows = new Rows();
  rows.measured('allocate', { vkmemd: [150, 170, 250], native: [300, 310, 320] });
  rows.measured('gather4', { vkmemd: [90], native: [100] });
  rows.measured('killed', { vkmemd: [900] });
  rows.measured('copy', { vkmemd: [100], note: 'native: none' });
  rows.skipped(['attach', 'copy'], 'no device');
  const about = { date: '2026-12-03', device: 'A GPU', driver: 'driver 1', cuda: '13.0', kernel: '6.18' };
  const counts = { cpus: 16, largeBytes, many: 1000, rounds: 3, seconds: 100 };
  return { ...about, node: 'v24.21.0', ...counts, rows: rows.all(counts) };
}

t.test('rows: medians, ratios, goals', async (t) => {
  const of = (report: Report, id: string) => report.rows.find((row) => row.id === id);
  const allocate = {
    name: 'allocate 64 GiB, zeroed',
    vkmemd: 170,
    native: 310,
    goal: '<= 200 ms',
    met: true,
  };
  t.match(of(sample(), 'allocate'), { ...allocate, ratio: 0.548 });
  t.match(of(sample(), 'gather4'), { ratio: 0.9, goal: '>= 0.95 x', met: false });
  t.match(of(sample(), 'killed'), { vkmemd: 900, native: null, ratio: null, met: false });
  t.match(of(sample(), 'copy'), { vkmemd: 100, ratio: null, met: null, note: 'native: none' });
  t.match(of(sample(), 'attach'), { vkmemd: null, met: null, skipped: 'no device' });
  t.match(
    of(sample(GIB), 'allocate'),
    { name: 'allocate 1 GiB, zeroed', met: null },
    'a goal of another size',
  );
  t.match(of(sample(GIB), 'gather4'), { met: false }, 'a ratio is of any size');
});

t.test('the page is generated from the recorded report', async (t) => {
  const page = readFileSync(PAGE, 'utf8');
  const report = readReport<Report>('gpu');
  t.equal(withPart(page, 'gpu', partOf(report)), page, 'npm run docs:performance has no more to write');
  if (report)
    t.equal(recorded(JSON.stringify(report)), readFileSync(join(root, 'docs/performance-gpu.json'), 'utf8'));
  const changed = withPart(page, 'gpu', partOf(sample()));
  t.match(changed, 'A GPU, driver 1, CUDA 13.0, Linux 6.18, 16 CPUs, Node.js 24.21.0, on 2026-12-03.');
  t.match(changed, '\n| allocate 64 GiB, zeroed | 170 ms | 310 ms | 0.548 | <= 200 ms, met |\n');
  t.match(
    changed,
    '\n| gather random rows of 4 bytes | 90 GB/s | 100 GB/s | 0.9 | >= 0.95 x, **missed** |\n',
  );
  t.match(changed, '\n| copy on the device | 100 GB/s |  |  | >= 0.99 x; native: none |\n');
  t.match(
    changed,
    '\n| attach 64 GiB in a fresh process, to the first byte | not measured: no device | | | <= 1.4 x |\n',
  );
  t.equal(withPart(changed, 'gpu', partOf(report)), page, 'what is around the part stays');
  t.throws(() => withPart('# A page\n', 'gpu', ''), /lacks the markers/);
  const { rows } = JSON.parse(recorded(JSON.stringify(sample())));
  t.strictSame(
    rows.filter((row: Row) => row.samples),
    [],
    'single rounds are not recorded',
  );
  t.throws(() => recorded(JSON.stringify({ ...sample(), rows: [] })), /no report/);
  t.throws(() => recorded('{}'), /no report/);
});
