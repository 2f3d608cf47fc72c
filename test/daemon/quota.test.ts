/**
 * Quotas of a real daemon: users in processes of their own, their limits by policy and by SetQuota, and that
 * all usage is zero when they have ended.
 */
import type { Decoded } from '@vkmemd/proto';
import t from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { ANYBODY, assertCounts, startDaemon } from '../support/daemon.js';
import { FakeLayer } from '../support/fake-layer.js';
import { openToAll, Tenant } from '../support/line-tenant.js';
import { noOtherUser } from '../support/uid.js';

const MIB = 1n << 20n;
const [ANN, BEN] = [64_101, 64_102];
const others = { skip: noOtherUser ?? false };

const limitedTo = (uid: number, bytes: bigint) => `[[rule]]\nuid = ${uid}\nmax_bytes = ${bytes}\n`;

/** A user's bytes on the first heap, once they have the expected value. */
async function usedBy(control: ControlWire, uid: number, expected: bigint): Promise<bigint | undefined> {
  for (let tries = 0; ; tries += 1) {
    const { quota } = await control.call('GetQuota', { uid });
    const used = quota?.heaps[0]?.usedBytes;
    if (used === expected || tries === 500) return used;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

t.test('a request above the limit is refused before Vulkan is called', others, async (t) => {
  const layer = new FakeLayer(t);
  const env = layer.environment;
  const { runtimeDir } = await startDaemon(t, { env, policy: `${ANYBODY}${limitedTo(ANN, 2n * MIB)}` });
  openToAll(runtimeDir);
  const ann = await Tenant.start(t, runtimeDir, ANN);
  const allocated = () => layer.calls('vkAllocateMemory').length;
  const before = allocated();
  t.match(await ann.allocate(2n * MIB + 1n), {
    code: 'QUOTA_EXCEEDED',
    reason: /^2\.0 MiB were requested; tenant \d+ uses 0 B of 2 MiB on heap 0\.$/,
    metadata: { requested_bytes: '2101248', limit_bytes: '2097152', used_bytes: '0', heap: '0' },
  });
  t.equal(allocated(), before, 'the driver was not called');
  const { id = '' } = await ann.allocate(2n * MIB);
  t.equal(allocated(), before + 1);
  t.match(await ann.allocate(1n), { code: 'QUOTA_EXCEEDED', metadata: { used_bytes: '2097152' } });
  t.equal(allocated(), before + 1);
  t.strictSame(await ann.free(id), { freed: true });

  layer.script('fail vkAllocateMemory * VK_ERROR_OUT_OF_DEVICE_MEMORY');
  for (let round = 0; round < 3; round += 1) {
    t.match(await ann.allocate(2n * MIB), { code: 'DEVICE_OUT_OF_MEMORY' });
    t.match((await ann.quota()).quota, { heaps: [{ usedBytes: '0' }], allocations: { used: 0 } }, 'refunded');
  }
  layer.script();
  t.type((await ann.allocate(2n * MIB)).id, 'string', 'and the full limit is available again');
  await ann.kill();
  await assertCounts(t, runtimeDir, {});
});

t.test('two tenants have equal shares, which concurrent requests cannot exceed', others, async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: ANYBODY });
  openToAll(runtimeDir);
  const control = new ControlWire(runtimeDir);
  const [heap] = (await control.budget()).heaps as [Decoded<'HeapBudget'>];
  const [ann, ben] = [await Tenant.start(t, runtimeDir, ANN), await Tenant.start(t, runtimeDir, BEN)];
  const share = heap.sizeBytes / 3n;
  for (const tenant of [ann, ben]) {
    const { quota } = await tenant.quota();
    t.match(quota, {
      heaps: [{ limitBytes: String(share), usedBytes: '0' }],
      sessions: { used: 1, limit: 1024 },
    });
  }
  await control.call('SetQuota', {
    uid: ANN,
    expectedRevision: 1n,
    heaps: [{ heapIndex: 0, limitBytes: 3n * MIB }],
  });
  const ends = await ann.allocateAtOnce(2n * MIB, 2n * MIB, MIB);
  t.strictSame(
    ends.map(({ code = 'served' }) => code).sort(),
    ['QUOTA_EXCEEDED', 'served', 'served'],
    'concurrent requests are not charged the same bytes',
  );
  t.match((await ann.quota()).quota, { heaps: [{ usedBytes: String(3n * MIB) }], allocations: { used: 2 } });
  t.match(await ben.quota(String(ANN)), { code: 'NOT_PERMITTED' });
  t.match(await ben.overreach('list'), { code: 'NOT_PERMITTED' });
  t.match(await ben.overreach('set'), { code: 'NOT_PERMITTED' });
  t.strictSame(
    (await control.call('ListQuotas', {})).quotas.map(({ uid }) => uid),
    [ANN, BEN],
  );
  await Promise.all([ann.kill(), ben.kill()]);
  t.equal(await usedBy(control, ANN, 3n * MIB), 3n * MIB, 'NAMED memory stays charged to its owner');
  for (const { id } of (await control.call('ListAllocations', {})).allocations) {
    await control.call('FreeAllocation', { allocation: { id } });
  }
  await control.call('SetQuota', { uid: ANN, expectedRevision: 2n, reset: true });
  t.strictSame((await control.call('ListQuotas', {})).quotas, [], 'no quota is left');
  control.close();
});

t.test(
  'reserved bytes are not available to others, and a policy cannot reserve more than the heap has',
  others,
  async (t) => {
    const { runtimeDir } = await startDaemon(t, {
      policy: `${ANYBODY}max_bytes = "unlimited"\n[[rule]]\nuid = ${ANN}\nreserved_bytes = "50%"\n`,
    });
    openToAll(runtimeDir);
    const control = new ControlWire(runtimeDir);
    const heap = async () => (await control.budget()).heaps[0] as Decoded<'HeapBudget'>;
    const { sizeBytes, availableBytes, guaranteedBytes, driverBudgetBytes, pressure } = await heap();
    t.equal(guaranteedBytes, sizeBytes / 2n, 'reserved from the start');
    t.equal(availableBytes, driverBudgetBytes - guaranteedBytes);
    t.equal(pressure, 'PRESSURE_NORMAL');
    const [ann, ben] = [await Tenant.start(t, runtimeDir, ANN), await Tenant.start(t, runtimeDir, BEN)];
    t.match(await ben.allocate(availableBytes + 4096n), {
      code: 'BUDGET_EXCEEDED',
      metadata: { available_bytes: String(availableBytes) },
    });
    const { id } = await ann.allocate(4n * MIB);
    t.type(id, 'string');
    const then = await heap();
    t.equal(then.guaranteedBytes, guaranteedBytes - 4n * MIB);
    t.equal(then.availableBytes, availableBytes, 'use of its own reservation takes nothing from others');
    const all = await control.call('SetQuota', {
      uid: BEN,
      expectedRevision: 1n,
      heaps: [{ heapIndex: 0, reservedBytes: sizeBytes / 2n + 4096n }],
    });
    t.match(all, { outcome: 'QUOTA_OUTCOME_CONFLICT', reason: /, plus \d+ for other tenants, exceed the/ });
    control.close();
    await Promise.all([ann.kill(), ben.kill()]);
    await assertCounts(t, runtimeDir, {});
    const both = `${ANYBODY}reserved_bytes = "60%"\n[[rule]]\nuid = [1, 2]\nreserved_bytes = "60%"\n`;
    await t.rejects(startDaemon(t, { policy: both }), {
      message:
        /POLICY_INVALID: .*:4: reserved_bytes: user 1 reserves .*, all users together .*overcommit is off/,
    });
    await startDaemon(t, { policy: `overcommit = true\n${both}` });
  },
);

t.test('SetQuota is applied, or rejected as stale or conflicting', others, async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: ANYBODY });
  openToAll(runtimeDir);
  const control = new ControlWire(runtimeDir);
  const set = (request: object) => control.call('SetQuota', { uid: ANN, ...request });
  const ann = await Tenant.start(t, runtimeDir, ANN);
  await ann.allocate(4n * MIB);
  const heaps = (limitBytes: bigint) => [{ heapIndex: 0, limitBytes }];
  t.match(await set({ expectedRevision: 0n, heaps: heaps(MIB) }), {
    outcome: 'QUOTA_OUTCOME_STALE',
    quota: { revision: 1n, overridden: false, heaps: [{ usedBytes: 4n * MIB }] },
  });
  const lowered = await set({ expectedRevision: 1n, heaps: heaps(MIB), sessions: 1, tickets: 0 });
  t.match(lowered, {
    outcome: 'QUOTA_OUTCOME_APPLIED',
    quota: {
      revision: 2n,
      overridden: true,
      heaps: [{ limitBytes: MIB, usedBytes: 4n * MIB, overageBytes: 3n * MIB }],
      sessions: { limit: 1, used: 1, overage: 0 },
      tickets: { limit: 0, used: 0 },
    },
  });
  t.match(await ann.allocate(1n), { code: 'QUOTA_EXCEEDED', metadata: { limit_bytes: String(MIB) } });
  t.match(await set({ expectedRevision: 1n, heaps: heaps(8n * MIB) }), { outcome: 'QUOTA_OUTCOME_STALE' });
  const reserve = [{ heapIndex: 0, reservedBytes: 2n * MIB }];
  t.match(await set({ expectedRevision: 2n, heaps: reserve }), {
    outcome: 'QUOTA_OUTCOME_CONFLICT',
    reason: '2097152 bytes of heap 0 would be reserved, above the limit of 1048576.',
    quota: { revision: 2n },
  });
  const far = await set({ expectedRevision: 2n, heaps: [{ heapIndex: 99, limitBytes: 1n }] });
  t.match(far, { outcome: 'QUOTA_OUTCOME_CONFLICT', reason: 'The device has no heap 99.' });
  for (const wrong of [
    {},
    { reset: true, sessions: 1 },
    { heaps: heaps(-1n) },
    { heaps: [...heaps(1n), ...heaps(2n)] },
    { heaps: [{ heapIndex: 0 }] },
  ]) {
    await t.rejects(set({ expectedRevision: 2n, ...wrong }), { code: 'INVALID_ARGUMENT' });
  }
  const second = await Tenant.start(t, runtimeDir, ANN);
  t.match(second.refused, { code: 'TOO_MANY_SESSIONS', metadata: { scope: 'user', limit: '1', used: '1' } });
  t.match(await set({ expectedRevision: 2n, reset: true }), {
    outcome: 'QUOTA_OUTCOME_APPLIED',
    quota: { revision: 3n, overridden: false, sessions: { limit: 1024 } },
  });
  t.notOk((await Tenant.start(t, runtimeDir, ANN)).refused);
  control.close();
});

t.test(
  'draining bytes are charged to their owner, and are released when its process is killed',
  others,
  async (t) => {
    const { runtimeDir } = await startDaemon(t, { policy: `${ANYBODY}${limitedTo(ANN, 2n * MIB)}` });
    openToAll(runtimeDir);
    const control = new ControlWire(runtimeDir);
    const ann = await Tenant.start(t, runtimeDir, ANN);
    const { id = '' } = await ann.allocate(2n * MIB, 'kept');
    await control.call('FreeAllocation', { allocation: { id } });
    await assertCounts(t, runtimeDir, { sessions: 1, drainingAllocations: 1, grants: 1, fds: 1 });
    t.match((await ann.quota()).quota, {
      heaps: [{ usedBytes: String(2n * MIB) }],
      allocations: { used: 1 },
    });
    t.match(
      await ann.allocate(4096n),
      {
        code: 'QUOTA_EXCEEDED',
        reason: `4 KiB were requested; tenant ${ANN} uses 2 MiB of 2 MiB on heap 0, of it 2 MiB draining: freed, but still held by a process.`,
        metadata: { draining_bytes: String(2n * MIB) },
      },
      'draining bytes are not available',
    );
    await ann.kill();
    t.equal(await usedBy(control, ANN, 0n), 0n);
    await assertCounts(t, runtimeDir, {});
    t.match(await control.call('GetQuota', { uid: ANN }), {
      quota: {
        heaps: [{ usedBytes: 0n, overageBytes: 0n }],
        allocations: { used: 0 },
        sessions: { used: 0 },
      },
    });
    const retried = await Tenant.start(t, runtimeDir, ANN);
    t.type((await retried.allocate(2n * MIB)).id, 'string');
    control.close();
  },
);
