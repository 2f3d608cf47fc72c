/** Datagrams in a process at its limits: no spare fds, and a worker that is terminated. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { closeAll, DatagramSender } from '@vkmemd/proto';
import t from 'tap';
import { collect, some } from './datagrams.js';
import { openFds, sameFds } from './open-fds.js';

const directory = mkdtempSync(join(tmpdir(), 'vkmem-'));
t.teardown(() => rmSync(directory, { recursive: true }));
let next = 0;
const freshPath = () => join(directory, `d${next++}`);

t.test('fds that could not be received are reported, and no bytes are lost', async (t) => {
  const before = openFds();
  const address = freshPath();
  const { received, receiver } = collect(address);
  using sender = new DatagramSender(address);
  const fds = some(3);
  t.ok(sender.send(Buffer.from('three'), fds));
  // With a limit below the number of open fds, nothing is closed, but no fd can be opened.
  const limit = (soft: string) =>
    spawnSync('prlimit', [`--pid=${process.pid}`, `--nofile=${soft}:`], { stdio: 'ignore' }).status;
  const now = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? '';
  if (limit(String(Math.max(...[...openFds().keys()].map(Number)) + 20)) !== 0) {
    t.pass('told', { skip: 'no prlimit' });
  } else {
    const fill: number[] = [];
    t.throws(
      () => {
        for (;;) fill.push(openSync('/dev/null', 'r'));
      },
      { code: 'EMFILE' },
    );
    closeSync(fill.pop() ?? -1);
    receiver.drain();
    for (const fd of fill) closeSync(fd);
    t.equal(limit(now), 0);
    t.match(received, [{ data: Buffer.from('three'), truncated: { data: false, fds: true } }]);
    t.equal(received[0]?.fds.length, 1, 'the fd that was received is open');
  }
  closeAll([...fds, ...received.flatMap(({ fds: some }) => some)]);
  receiver.close();
  sender.close();
  await sameFds(t, before);
});

t.test('a terminated worker leaves no fd and no socket', async (t) => {
  const before = openFds();
  const address = freshPath();
  const code = `
    import(${JSON.stringify(import.meta.resolve('@vkmemd/proto'))}).then(({ DatagramReceiver, DatagramQueue }) => {
      const { parentPort } = require('node:worker_threads');
      DatagramReceiver.bind(${JSON.stringify(address)}, {
        message: ({ fds }) => { globalThis.kept = fds; parentPort.postMessage(fds.length); },
        error() {},
      });
      new DatagramQueue(${JSON.stringify(address)}).send('x');
    });`;
  const worker = new Worker(code, { eval: true, execArgv: [] });
  t.equal((await once(worker, 'message'))[0], 0);
  using sender = new DatagramSender(address);
  const fds = some(5);
  t.ok(sender.send(Buffer.from('x'), fds));
  t.equal((await once(worker, 'message'))[0], 5);
  await worker.terminate();
  t.throws(() => sender.send(Buffer.from('x')), { code: 'UNAVAILABLE' }, 'its socket is closed');
  closeAll(fds);
  sender.close();
  await sameFds(t, before);
});
