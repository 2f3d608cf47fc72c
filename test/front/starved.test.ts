/** A front that gets no processor, since other threads have it, is not taken for one that hangs. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import t from 'tap';
import { assertNoLeaks, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { anotherFront, frontOf, grpcBack, sleep } from './support.js';
import { restartsOf } from './uses.js';

/** Longer than a front may be silent that could answer. */
const STARVED_MS = 6000;
const PATIENCE_MS = 60_000;
const HIGHEST = -20;
/** The first that this process may use. */
const PROCESSOR = /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';

/** Why no process can be given a higher priority; false if one can. */
function unprivileged(): string | false {
  const own = getPriority();
  try {
    setPriority(own - 1);
    setPriority(own);
    return false;
  } catch {
    return 'this user may not give a process a higher priority';
  }
}

const skip = unprivileged();

/** Runs a tool of util-linux on all threads of a process. */
const onThreads = (tool: string, args: readonly string[], pid: number) =>
  execFileSync(tool, ['--all-tasks', ...args, String(pid)], { stdio: 'ignore' });

t.test('a front that other threads keep from running serves again later', { skip }, async (t) => {
  const daemon = await startDaemon(t);
  const wire = await HandoffWire.open(daemon.runtimeDir);
  const front = await anotherFront(daemon);
  await grpcBack(daemon.runtimeDir);
  const others = spawn('taskset', ['-c', PROCESSOR, 'sh', '-c', 'while :; do :; done'], { stdio: 'ignore' });
  const ended = once(others, 'exit');
  try {
    setPriority(others.pid ?? 0, HIGHEST);
    onThreads('taskset', ['--cpu-list', '--pid', PROCESSOR], front);
    onThreads('chrt', ['--idle', '--pid', '0'], front);
    const back = grpcBack(daemon.runtimeDir, PATIENCE_MS);
    await sleep(STARVED_MS);
    t.equal(await Promise.race([back, sleep(0)]), undefined, 'it could not answer');
    t.equal(frontOf(daemon), front, 'it was not ended');
    others.kill('SIGKILL');
    onThreads('chrt', ['--other', '--pid', '0'], front);
    await back;
  } finally {
    others.kill('SIGKILL');
    await ended;
  }
  t.equal(await restartsOf(wire), 0n, 'nor started again');
  wire.close();
  await assertNoLeaks(t, daemon.runtimeDir);
});
