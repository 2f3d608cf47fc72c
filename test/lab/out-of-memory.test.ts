/**
 * The kernel's out-of-memory killer, by control groups (v2): it ends a client, the front, and the core. The daemon
 * serves on, and memory that outlives a daemon outlives this end too.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { root } from '../support/daemon.js';
import {
  denials,
  eventually,
  frontOf,
  must,
  property,
  RUNTIME_DIR,
  ready,
  run,
  SERVICE,
  session,
  status,
} from './installed.js';
import { firstOther, OF_DEVICE } from './pattern.js';

const MIB = 1 << 20;

/** Whether the kernel's log says that it ended this process because memory was short. */
const killed = (pid: number | string): boolean =>
  new RegExp(`ut of memory: Killed process ${pid} `).test(must('dmesg'));

/** Of the service's control group; undefined: none. */
function limitMemory(bytes: number | undefined): void {
  const [max, swap] = bytes === undefined ? ['infinity', 'infinity'] : [String(bytes), '0'];
  must('systemctl', 'set-property', '--runtime', SERVICE, `MemoryMax=${max}`, `MemorySwapMax=${swap}`);
}

t.test('a client', async (t) => {
  await ready();
  const before = (await status()).counts;
  const limits = ['-p', 'MemoryMax=160M', '-p', 'MemorySwapMax=0'];
  const program = [process.execPath, join(root, 'test/dist/lab/hog.js'), RUNTIME_DIR];
  const hog = run('systemd-run', '--scope', '--quiet', ...limits, ...program);
  const [, pid = ''] = /^(\d+) holds memory\n$/.exec(hog.stdout) ?? [];
  t.ok(killed(pid), `${hog.stdout}${hog.stderr}`);
  await eventually('its session has ended', async () => {
    const { sessions, allocations } = (await status()).counts;
    return (sessions === before.sessions && allocations === before.allocations) || undefined;
  });
});

t.test('the front, whom the kernel chooses when the whole system has no memory left', async (t) => {
  const core = await ready();
  await eventually('the front is there', async () => (await status()).front.present || undefined);
  const front = frontOf(core);
  // The kernel looks for whom to end, as if it had failed to find memory.
  writeFileSync('/proc/sysrq-trigger', 'f');
  await eventually('it is ended', () => frontOf(core) !== front || undefined);
  t.ok(killed(front));
  await eventually('the front is back', async () => (await status()).front.present || undefined);
  t.equal(await ready(), core, 'the core is the same process');
});

t.test('the core: memory with a name is kept', async (t) => {
  const core = await ready();
  await using client = await session();
  const kept = await client.allocate({ size: 16 * MIB, name: 'outlives' });
  await client.transfer({ fill: { to: kept, pattern: OF_DEVICE.first } });
  const before = property('InvocationID');
  // Less than it needs, even without its front.
  limitMemory(32 * MIB);
  await eventually('the kernel ended it', () => Number(property('MainPID')) !== core || undefined);
  limitMemory(undefined);
  t.ok(killed(core), must('dmesg').split('\n').slice(-20).join('\n'));
  t.not(await ready(before), core);
  await using again = await session();
  const memory = await again.claim({ name: 'outlives' });
  using map = memory.map();
  t.equal(firstOther(map.bytes, OF_DEVICE), undefined, 'with its bytes');
  await memory.free();
});

t.test('AppArmor has refused nothing', async (t) => {
  t.strictSame(denials(), []);
});
