/**
 * Quotas in the client library: the caller's own quota, changes with a required revision and without, and
 * checks before a request is sent.
 */
import { connectControl, type QuotaChange } from '@vkmemd/client';
import t from 'tap';
import { startDaemon } from '../support/daemon.js';
import { connected, MIB, PAGE } from './support.js';

const UID = 4_000_000_000;

t.test("getQuota() returns the caller's quota, or another user's", async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connected(t, runtimeDir);
  await client.allocate({ size: MIB });
  await using control = connectControl({ runtimeDir });
  const uid = process.getuid?.() ?? -1;
  const own = await control.policy.getQuota();
  t.match(own, { uid, revision: 1n, overridden: false, sessions: { used: 1 }, allocations: { used: 1 } });
  t.equal(own.heaps[0]?.usedBytes, BigInt(MIB));
  t.equal(own.heaps[0]?.limitBytes, undefined, 'an operator is not limited');
  t.strictSame(await control.policy.getQuota(uid), own);
  t.strictSame(await control.policy.listQuotas(), [own]);
  t.match(await control.policy.getQuota(UID), { uid: UID, heaps: [{ usedBytes: 0n }] });
  t.strictSame(await client.control.policy.getQuota(), own, 'through a client with a session too');
  await client.close();
  t.throws(() => client.control, { code: 'UNAVAILABLE' }, 'after the client was closed');
});

t.test('setQuota() applies, or reports a stale revision or a conflict', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using control = connectControl({ runtimeDir });
  const heaps = [{ heap: 0, limit: 2 * MIB, reserved: 4096n }];
  t.match(await control.policy.setQuota({ uid: UID, heaps, sessions: 0, tickets: 7 }), {
    outcome: 'APPLIED',
    reason: '',
    quota: {
      revision: 2n,
      overridden: true,
      heaps: [{ limitBytes: 2n * BigInt(MIB), reservedBytes: 4096n }],
      sessions: { limit: 0 },
      tickets: { limit: 7 },
    },
  });
  const late = await control.policy.setQuota({ uid: UID, expectedRevision: 1n, sessions: 1 });
  t.match(late, { outcome: 'STALE', quota: { revision: 2n, sessions: { limit: 0 } } });
  const crossed = await control.policy.setQuota({ uid: UID, heaps: [{ heap: 0, limit: 4095 }] });
  t.match(crossed, {
    outcome: 'CONFLICT',
    reason: /^4096 bytes of heap 0 would be reserved/,
    quota: { revision: 2n },
  });
  const all = Array.from({ length: 4 }, (_, at) => control.policy.setQuota({ uid: UID, allocations: at }));
  t.strictSame(
    (await Promise.all(all)).map(({ outcome }) => outcome),
    all.map(() => 'APPLIED'),
    'without a required revision every change is applied',
  );
  t.equal((await control.budget()).heaps[0]?.guaranteedBytes, 4096n);
  const mine = { uid: process.getuid?.() ?? -1, heaps: [{ heap: 0, limit: PAGE }] };
  t.match(await control.policy.setQuota(mine), { outcome: 'APPLIED' });
  const client = await connected(t, runtimeDir);
  await t.rejects(client.allocate({ size: PAGE + 1 }), {
    code: 'QUOTA_EXCEEDED',
    metadata: { limit_bytes: String(PAGE), requested_bytes: String(2 * PAGE), used_bytes: '0' },
  });
  await client.close();
  for (const uid of [UID, mine.uid]) await control.policy.setQuota({ uid, reset: true });
  t.strictSame(await control.policy.listQuotas(), []);
});

t.test('invalid quotas are rejected before a request is sent', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using control = connectControl({ runtimeDir });
  const wrong: unknown[] = [
    { uid: -1, sessions: 1 },
    { uid: 2 ** 32, sessions: 1 },
    { sessions: 1 },
    { uid: UID },
    { uid: UID, reset: true, sessions: 1 },
    { uid: UID, sessions: 1.5 },
    { uid: UID, tickets: -1 },
    { uid: UID, heaps: [{ heap: 0 }] },
    { uid: UID, heaps: [{ heap: 0.5, limit: 1 }] },
    { uid: UID, heaps: [{ heap: 0, limit: -1 }] },
    { uid: UID, heaps: [{ heap: 0, reserved: 1.5 }] },
    { uid: UID, heaps: [{ heap: 0, limit: 2n ** 63n }] },
    { uid: UID, expectedRevision: 1, sessions: 1 },
  ];
  for (const change of wrong) {
    const asked = async () => control.policy.setQuota(change as QuotaChange);
    await t.rejects(asked(), { code: 'INVALID_ARGUMENT' });
  }
  await t.rejects(control.policy.getQuota(-1), { code: 'INVALID_ARGUMENT' });
  t.strictSame(await control.policy.listQuotas(), []);
});
