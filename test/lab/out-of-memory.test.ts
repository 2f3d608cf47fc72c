/**
 * The kernel's out-of-memory killer, by control groups (v2): it ends a client, the front, and the core. The daemon
 * serves on, and memory that outlives a daemon outlives this end too.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { growUntil } from '../front/growth.js';
import { root } from '../support/daemon.js';
import { until } from '../support/supervised-daemon.js';
import { must, property, ready, run, SERVICE, vkmemctl } from './installed.js';

const RUNTIME_DIR = '/run/vkmemd';
const POLICY = '/etc/vkmemd/conf.d/lab.toml';
const MIB = 1 << 20;

interface Status {
  readonly counts: { readonly sessions: number; readonly allocations: number };
  readonly front: { readonly present: boolean; readonly restarts: number };
}
const status = (): Status => vkmemctl<Status>('status');

/** How often the kernel ended a process of the service's control group. */
function killed(): number {
  const events = readFileSync(`/sys/fs/cgroup${property('ControlGroup')}/memory.events`, 'utf8');
  return Number(/^oom_kill (\d+)$/m.exec(events)?.[1]);
}

const frontOf = (pid: number): string => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();

/** Of the service's control group; undefined: none. */
function limitMemory(bytes: number | undefined): void {
  const max = bytes === undefined ? 'infinity' : String(bytes);
  must('systemctl', 'set-property', '--runtime', SERVICE, `MemoryMax=${max}`, 'MemorySwapMax=0');
}

t.test('a client', async (t) => {
  must('systemctl', 'start', SERVICE);
  await ready();
  const before = status();
  const limits = ['-p', 'MemoryMax=160M', '-p', 'MemorySwapMax=0'];
  const program = [process.execPath, join(root, 'test/dist/lab/hog.js'), RUNTIME_DIR];
  const hog = run('systemd-run', '--scope', '--quiet', ...limits, ...program);
  t.match(hog, { stdout: 'holds memory\n' });
  t.not(hog.status, 0, 'the kernel ended it');
  await until(
    'its session has ended',
    () => status().counts.sessions === before.counts.sessions || undefined,
  );
  t.equal(status().counts.allocations, before.counts.allocations, 'with its allocation');
});

t.test('the front', async (t) => {
  // So that the kernel's limit is the one that is reached.
  writeFileSync(POLICY, '[limits]\nfront_memory = "2GiB"\n');
  t.teardown(() => rmSync(POLICY));
  must('systemctl', 'restart', SERVICE);
  const core = await ready();
  status();
  const front = frontOf(core);
  const before = killed();
  limitMemory(Number(property('MemoryCurrent')) + 96 * MIB);
  t.teardown(() => limitMemory(undefined));
  const end = await growUntil(() => frontOf(core) !== front, RUNTIME_DIR, 180_000);
  end();
  t.ok(killed() > before, 'the kernel ended a process of the service');
  await until('the front is back', () => run('vkmemctl', 'ls').status === 0 || undefined);
  t.equal(await ready(), core, 'the core is the same process');
});

t.test('the core: memory with a name is kept', async (t) => {
  must('systemctl', 'restart', SERVICE);
  const core = await ready();
  vkmemctl('alloc', 'outlives', '--size', '16M');
  const before = property('InvocationID');
  // Less than it uses: whatever it does next ends it.
  limitMemory(32 * MIB);
  run('vkmemctl', 'alloc', 'more', '--size', '64M');
  await until('the kernel ended the core', () => Number(property('MainPID')) !== core || undefined);
  limitMemory(undefined);
  await ready(before);
  const { allocations } = vkmemctl<{ allocations: { name: string }[] }>('ls');
  t.ok(allocations.some(({ name }) => name === 'outlives'));
  for (const { name } of allocations) vkmemctl('free', name);
});
