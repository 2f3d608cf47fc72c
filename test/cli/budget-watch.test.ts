/**
 * vkmemctl budget --watch against a fake control socket whose budget changes on demand: its output, and every
 * way in which it ends.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { type BudgetStream, COUNTS, HEAP, startFakeControl } from '../client/fake-control.js';
import { plainNode, temporaryFolder } from '../support/daemon.js';
import { program } from './support.js';

/** Runs vkmemctl budget --watch on a fake; yields its lines as they arrive. */
async function watching(t: Test, ...args: string[]) {
  const runtimeDir = temporaryFolder(t);
  const streams: BudgetStream[] = [];
  const report = (allocations: number) => ({
    heaps: [{ ...HEAP, pressure: 'PRESSURE_CRITICAL' as const }],
    counts: { ...COUNTS, allocations },
    pressure: 'PRESSURE_CRITICAL' as const,
  });
  const fake = await startFakeControl(t, runtimeDir, {
    WatchBudget: (stream) => {
      streams.push(stream);
      stream.write(report(1));
    },
  });
  const child: ChildProcessWithoutNullStreams = spawn(
    ...plainNode([program, '--runtime-dir', runtimeDir, 'budget', '--watch', ...args]),
  );
  t.teardown(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => (await lines.next()).value ?? '(the end)';
  const change = (allocations: number) => streams[0]?.write(report(allocations));
  return { child, line, change, fake };
}

t.test('budget --watch prints a table at every change, until SIGINT', async (t) => {
  const { child, line, change } = await watching(t);
  for (const allocations of ['1 live allocation,', '7 live allocations,']) {
    t.match(await line(), /^HEAP .* PRESSURE$/);
    t.match(await line(), / EXT +CRITICAL$/);
    t.equal(await line(), '');
    t.match(await line(), allocations);
    if (allocations.startsWith('7')) break;
    change(7);
    t.equal(await line(), '', 'a blank line separates the tables');
  }
  child.kill('SIGINT');
  t.same(await once(child, 'close'), [0, null]);
});

t.test('budget --watch --json prints one object a line', async (t) => {
  const { child, line, change, fake } = await watching(t, '--json');
  t.match(JSON.parse(await line()), {
    heaps: [{ pressure: 'CRITICAL', source: 'EXT' }],
    pressure: 'CRITICAL',
  });
  change(7);
  t.match(JSON.parse(await line()), { counts: { allocations: 7 } });
  const ended = once(child, 'close');
  fake.close();
  t.match(
    JSON.parse(await line()),
    { error: { code: 'UNAVAILABLE' } },
    'an error that ends the watch is an object too',
  );
  t.same(await ended, [69, null]);
});

t.test('budget --watch ends when its output is closed', async (t) => {
  const { child, line, change } = await watching(t, '--json');
  await line();
  const ended = once(child, 'exit');
  child.stdout.destroy();
  for (let left = 100; left > 0 && child.exitCode === null; left -= 1) {
    change(left);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  t.same(await ended, [0, null]);
});
