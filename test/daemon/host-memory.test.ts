/**
 * A daemon in a control group below one that limits memory: it offers what that leaves, refuses more by name, and is
 * not killed.
 */
import { connect } from '@vkmemd/client';
import t from 'tap';
import { parsed, vkmemctl } from '../cli/support.js';
import { limitedGroup, MOVED } from '../support/control-group.js';
import { assertNoLeaks, startDaemon } from '../support/daemon.js';

const MIB = 1n << 20n;
const LIMIT = 700n * MIB;

t.test('a limit of a control group above', async (t) => {
  t.setTimeout(300_000);
  // Removed after the daemon has ended.
  const group = limitedGroup(t, Number(LIMIT));
  if (typeof group === 'string') {
    t.plan(0, group);
    return;
  }
  const { runtimeDir, pid } = await startDaemon(t, { before: ['sh', '-c', MOVED, group.folder] });
  await using client = await connect({ runtimeDir });
  const heapOf = async () => (await client.budget()).heaps[0];
  const before = await heapOf();
  t.match(before, { limitedBy: group.limitFile, pressure: 'PRESSURE_NORMAL' });
  const left = before?.availableBytes ?? 0n;
  t.ok(left > 100n * MIB && left < LIMIT - 32n * MIB, `${left / MIB} MiB are available`);
  const beyond = {
    code: 'DEVICE_OUT_OF_MEMORY',
    reason: new RegExp(`${group.limitFile} leaves`),
    metadata: { limit: group.limitFile },
    next: /MemoryMax=/,
  };
  for (const kind of ['MAPPABLE', 'OPAQUE_FD'] as const) {
    await t.rejects(client.allocate({ size: LIMIT, kinds: [kind] }), beyond, kind);
  }
  const size = ((left * 3n) / 5n / MIB) * MIB;
  const both = await Promise.allSettled([client.allocate({ size }), client.allocate({ size })]);
  const made = both.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  t.equal(made.length, 1, 'of two that fit only alone, one is made');
  t.match(
    both.find((each) => each.status === 'rejected'),
    { reason: { code: 'DEVICE_OUT_OF_MEMORY' } },
  );
  const rest = (await heapOf())?.availableBytes ?? 0n;
  t.ok(rest <= left - size + 16n * MIB, `then ${rest / MIB} MiB are available`);
  for (const each of made) {
    each.map().bytes.fill(1);
    await each.free();
  }
  const doctor = parsed(await vkmemctl(runtimeDir, 'doctor', '--json'));
  const check = doctor.checks.find(({ name }: { name: string }) => name === 'memory left');
  t.match(check, { ok: true, detail: new RegExp(`limited by ${group.limitFile}`) });
  t.match((await vkmemctl(runtimeDir, 'budget')).stdout, `Heap 0 is limited by ${group.limitFile}`);
  process.kill(pid, 0);
  await client.close();
  await assertNoLeaks(t, runtimeDir);
});
