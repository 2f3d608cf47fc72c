/**
 * Four concurrent worker threads, each with sockets, memfds and eventfds of its own; some are terminated
 * midway.
 */

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { openFds, sameFds } from './open-fds.js';

t.test('four concurrent workers, two of them terminated midway', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'vkmem-'));
  const run = async (name: string, terminate: boolean) => {
    const data = { path: join(directory, name), rounds: terminate ? 1e9 : 2000 };
    const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: data });
    const exit = new Promise<number>((resolve, reject) => {
      worker.once('exit', resolve);
      worker.once('error', reject);
    });
    if (terminate) {
      // Not while Node.js loads modules: it would leave its own fds open.
      await once(worker, 'message');
      await sleep(Math.random() * 50);
      await worker.terminate();
    }
    return exit;
  };
  t.equal(await run('warm', false), 0);
  const before = openFds();
  for (let i = 0; i < 3; i++) {
    const codes = await Promise.all([
      run(`a${i}`, false),
      run(`b${i}`, true),
      run(`c${i}`, false),
      run(`d${i}`, true),
    ]);
    t.strictSame(codes, [0, 1, 0, 1]);
    await sameFds(t, before);
  }
  rmSync(directory, { recursive: true });
});

t.test('a worker is terminated during a call, when no more JavaScript can run', async (t) => {
  const terminated = async () => {
    // Without the test runner's modules in each worker, whose loading takes longer than the test.
    const worker = new Worker(new URL('./calling-worker.js', import.meta.url), { execArgv: [] });
    await once(worker, 'message');
    return worker.terminate();
  };
  await terminated();
  const before = openFds();
  for (let i = 0; i < 3; i++) {
    t.strictSame(await Promise.all([terminated(), terminated(), terminated(), terminated()]), [1, 1, 1, 1]);
  }
  await sameFds(t, before);
});
