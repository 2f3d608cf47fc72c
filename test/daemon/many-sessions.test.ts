/**
 * Thousands of concurrent sessions: each has its memory, none waits for another, and no resource remains. The
 * cost of one session is printed.
 */
import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { assertCounts, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';

const MANY = 2000;
const kinds = ['KIND_MAPPABLE'] as const;

const limit = Number(/^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]);
// The daemon needs 4 fds for each while they connect, and keeps a quarter for others.
const skip = limit < MANY * 6 ? `RLIMIT_NOFILE is ${limit}; ${MANY * 6} are needed` : false;

t.test(`${MANY} concurrent sessions each claim memory`, { skip }, async (t) => {
  const { runtimeDir, pid } = await startDaemon(t);
  const rssKib = () => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  const openFds = () => readdirSync(`/proc/${pid}/fd`).length;
  const first = await HandoffWire.open(runtimeDir);
  await first.ask({ allocate: { sizeBytes: 4096n, kinds, name: 'shared' } });
  const [rss, fds, begun] = [rssKib(), openFds(), performance.now()];
  const wires: HandoffWire[] = [];
  while (wires.length < MANY) {
    const some = Array.from({ length: 100 }, () => HandoffWire.open(runtimeDir));
    wires.push(...(await Promise.all(some)));
  }
  const took = performance.now() - begun;
  const each = ((rssKib() - rss) / MANY).toFixed(1);
  t.comment(
    `one session: ${((took * 1000) / MANY).toFixed(0)} us to connect, ${each} KiB, both ends on this machine`,
  );
  t.equal(openFds() - fds, MANY * 2, 'each uses a socket and a pidfd');
  for (const wire of wires) {
    const { message, fds } = await wire.ask({ claim: { allocation: { name: 'shared' }, kinds } });
    for (const fd of fds) fd.close();
    if (!message.claim) t.fail('a claim is missing');
  }
  t.pass('each session has the memory');
  await assertCounts(t, runtimeDir, {
    sessions: MANY + 1,
    allocations: 1,
    grants: MANY,
    fds: 1,
    deviceMemories: 1,
  });
  for (const wire of wires) wire.close();
  await first.ask({ free: { allocation: { name: 'shared' } } });
  first.close();
  await assertCounts(t, runtimeDir, {});
});
