/** How scripts/test.mjs orders the test files, and how it counts what they print. */
import { join } from 'node:path';
import t from 'tap';
import { root } from '../support/daemon.js';

const load = (name: string) => import(join(root, 'scripts/test', name));

/** File -> [wall time, processor time], in seconds. */
const TIMES = {
  'test/a.test.ts': [2, 1.9],
  'test/b.test.ts': [30, 25],
  'test/boot.test.ts': [60, 6],
  'test/wait.test.ts': [90, 1],
  'test/gone.test.ts': [9, 9],
};
const alone = (file: string) => file === 'test/alone.test.ts';

t.test('the longest file runs first, in the lane of its kind', async (t) => {
  const { schedule } = await load('schedule.mjs');
  const run = (name: string) => ({ file: `test/${name}.test.ts` });
  const runs = [...['a', 'alone', 'b', 'boot', 'new', 'wait'].map(run), { ...run('a'), major: 20 }];
  t.strictSame(schedule(runs, TIMES, alone), {
    computing: [run('new'), run('b'), run('a'), { ...run('a'), major: 20 }],
    waiting: [run('wait'), run('boot')],
    alone: [run('alone')],
  });
  t.strictSame(schedule(runs, {}, alone).computing.length, 6, 'without recorded times all of them run');
});

t.test('each file runs once, no more at once than there are jobs, and alone where it must', async (t) => {
  const { JOBS, runSchedule } = await load('schedule.mjs');
  const lane = (name: string) => Array.from({ length: 9 }, (_, index) => ({ file: `${name} ${index}` }));
  const [computing, waiting] = [lane('computing'), lane('waiting')];
  const running = new Set<string>();
  const ran: string[] = [];
  const most = { computing: 0, all: 0, alone: 0 };
  const twice = [{ file: 'alone 0' }, { file: 'alone 1' }];
  await runSchedule({ computing, waiting, alone: twice }, async ({ file }: { file: string }) => {
    running.add(file);
    const those = [...running];
    most.computing = Math.max(most.computing, those.filter((name) => name.startsWith('computing')).length);
    most.all = Math.max(most.all, those.length);
    if (file.startsWith('alone')) most.alone = Math.max(most.alone, those.length);
    await new Promise((resolve) => setTimeout(resolve, 2));
    running.delete(file);
    ran.push(file);
  });
  t.strictSame(
    [...ran].sort(),
    [...twice, ...computing, ...waiting].map(({ file }) => file),
  );
  t.strictSame(most, { computing: JOBS.computing, all: JOBS.computing + JOBS.waiting, alone: 1 });
});

t.test('what some files need is made once, beside the others and before them', async (t) => {
  const { runSchedule } = await load('schedule.mjs');
  const order: string[] = [];
  const runs = (...files: string[]) => files.map((file) => ({ file }));
  const needs = (file: string) => file.startsWith('needs');
  const make = async () => {
    order.push('making');
    await new Promise((resolve) => setTimeout(resolve, 20));
    order.push('made');
  };
  const run = async ({ file }: { file: string }) => void order.push(file);
  const lanes = { computing: runs('needs 0', 'one', 'two'), waiting: runs('needs 1'), alone: [] };
  await runSchedule(lanes, run, { needs, make });
  t.strictSame(order.slice(0, 4), ['making', 'one', 'two', 'made']);
  t.strictSame(order.slice(4).sort(), ['needs 0', 'needs 1']);
  order.length = 0;
  const broken = () => Promise.reject(new Error('it cannot be made'));
  await runSchedule(lanes, run, { needs, make: broken });
  t.equal(order.length, 4, 'where it cannot be made, the files run all the same');
  order.length = 0;
  await runSchedule({ ...lanes, computing: runs('one'), waiting: [] }, run, { needs, make });
  t.strictSame(order, ['one'], 'it is not made if no file needs it');
});

t.test('processor time is that of the children of the shell', async (t) => {
  const { processorSeconds } = await load('run-file.mjs');
  t.equal(processorSeconds('0m0.010000s 0m0.020000s\n1m2.500000s 0m0.250000s\n'), 62.75);
  t.equal(processorSeconds(''), 0);
});

t.test('assertions are counted, not the lines that sum up subtests', async (t) => {
  const { Results } = await load('results.mjs');
  const results = new Results('test/x.test.ts');
  results.parser.end(`TAP version 14
# Subtest: outer
    ok 1 - one
    not ok 2 - two
    ok 3 - three # SKIP no device
    # figure: 7 ms
    1..3
not ok 1 - outer
1..1
`);
  await results.end(1);
  t.match(results, { passed: 1, failed: 1, skipped: 1 });
  t.ok(results.lines.includes('  figure: 7 ms'), results.lines.join('\n'));
  const empty = new Results('test/y.test.ts');
  empty.parser.end('TAP version 14\n1..0\n');
  await empty.end('SIGKILL');
  t.equal(empty.failed, 1, 'a file that is killed has failed');
});
