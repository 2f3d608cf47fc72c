/**
 * Reservations without a device: bytes that are reserved for users, and policies that a device cannot
 * satisfy.
 */

import t from 'tap';
import { requireReservable } from 'vkmemd/dist/memory/accounting/reservations.js';
import { UnitPattern } from 'vkmemd/dist/policy/unit-pattern.js';
import { bytes, Host, heapOf, LET_IN, peer, policyOf, rule, SIZE, settled } from '../support/quotas.js';

const [ANN, BEN] = [peer(101), peer(102)];

t.test('reserved bytes are not available to others', async (t) => {
  const host = new Host(
    policyOf([LET_IN, rule({ reservedBytes: bytes(400n) }, 101), rule({ maxBytes: { every: 'unlimited' } })]),
  );
  const budget = async () => (await host.budget.heaps())[0];
  t.match(
    await budget(),
    { available: 600n, guaranteed: 400n, pressure: 'NORMAL' },
    'its user has no session yet',
  );
  t.match(
    host.quotas.tenants.toArray().map((tenant) => host.quotas.ofTenant(tenant).describe()),
    [{ uid: 101, heaps: [{ reservedBytes: 400n }] }],
  );
  await t.rejects(host.admit(BEN, 601n), { code: 'BUDGET_EXCEEDED', metadata: { available_bytes: '600' } });
  const ben = await host.admit(BEN, 600n);
  t.match(
    await budget(),
    { available: 0n, guaranteed: 400n, pressure: 'NORMAL' },
    'unused reserved bytes do not count as used',
  );
  await t.rejects(host.admit(BEN, 1n), { code: 'BUDGET_EXCEEDED' });
  const ann = await host.admit(ANN, 300n);
  t.match(await budget(), { available: 0n, guaranteed: 100n, pressure: 'ELEVATED' });
  await t.rejects(host.admit(ANN, 101n), { code: 'BUDGET_EXCEEDED', metadata: { available_bytes: '100' } });
  ben.settle();
  const more = await host.admit(ANN, 700n);
  t.match(await budget(), { available: 0n, guaranteed: 0n }, 'its user may also use unreserved bytes');
  ann.settle();
  t.match(await budget(), { available: 300n, guaranteed: 0n }, 'it uses more than its reservation');
  more.settle();
  t.match(await budget(), { available: 600n, guaranteed: 400n });
});

t.test('a share is at least the reservation', async (t) => {
  const host = new Host(policyOf([LET_IN, rule({ reservedBytes: bytes(800n) }, 101)]));
  t.match(heapOf(host.quotas.of(ANN)), { limitBytes: 800n, reservedBytes: 800n });
  (await host.admit(ANN, 800n)).settle();
});

t.test(
  'a reservation by a rule for a unit starts with the first session, limited to the free bytes',
  async (t) => {
    const units = [UnitPattern.of('render*.service')].filter((unit) => unit !== undefined);
    const byUnit = { where: 'test', match: { units }, gives: { reservedBytes: bytes(700n) } };
    const rules = [LET_IN, rule({ reservedBytes: bytes(400n) }, 101), byUnit];
    const host = new Host(policyOf(rules));
    const [renderer, other] = [peer(102, { unit: 'render.service' }), peer(102)];
    const reserved = (identity = renderer) => heapOf(host.quotas.of(identity))?.reservedBytes;
    t.equal((await host.budget.heaps())[0]?.guaranteed, 400n);
    const session = host.quotas.of(renderer).take('sessions');
    t.equal(reserved(), 600n, 'the unreserved bytes');
    t.equal(reserved(peer(103, { unit: 'render.service' })), 0n, 'nothing is left for a second user');
    await settled();
    t.equal(reserved(ANN), 400n, 'earlier reservations are unchanged');
    t.equal(reserved(other), 0n, 'its latest request was from a process of another unit');
    t.equal(reserved(), 600n);
    session[Symbol.dispose]();
    t.equal((await host.budget.heaps())[0]?.guaranteed, 400n);

    const boundless = rule({ maxBytes: { every: 'unlimited' } });
    const over = new Host(policyOf([...rules, boundless], { overcommit: true }));
    const held = over.quotas.of(renderer).take('sessions');
    t.match(
      heapOf(over.quotas.of(renderer)),
      { reservedBytes: 700n },
      'with overcommit each reservation is the full amount',
    );
    t.match((await over.budget.heaps())[0], { available: 0n, guaranteed: SIZE });
    const charge = await over.admit(ANN, 400n);
    await t.rejects(
      over.admit(ANN, 1n),
      { code: 'BUDGET_EXCEEDED' },
      'bytes beyond its own reservation are reserved for others',
    );
    await t.rejects(over.admit(renderer, 700n), { code: 'BUDGET_EXCEEDED' }, 'the bytes exist only once');
    charge.settle();
    held[Symbol.dispose]();
  },
);

t.test('a policy that this device cannot satisfy is rejected', async (t) => {
  const heaps = [{ size: SIZE }, { size: 500n }];
  const reserve = (uid: number, every: bigint) => rule({ reservedBytes: bytes(every) }, uid);
  const fits = policyOf([LET_IN, reserve(101, 200n), reserve(102, 300n)]);
  requireReservable(fits, heaps);
  const at = (line: number) => ({ at: { file: 'b.toml', line } });
  const much = [LET_IN, { ...reserve(101, 200n), ...at(7) }, { ...reserve(102, 301n), ...at(9) }];
  t.throws(() => requireReservable(policyOf(much), heaps), {
    code: 'POLICY_INVALID',
    reason:
      'b.toml:7: reserved_bytes: user 101 reserves 200 B of heap 1, all users together 501 B; the heap has 500 B, and overcommit is off.\n' +
      'b.toml:9: reserved_bytes: user 102 reserves 301 B of heap 1, all users together 501 B; the heap has 500 B, and overcommit is off.',
    next: 'Reserve less, or raise max_bytes of a user above its reservation, or set overcommit = true.',
  });
  requireReservable(policyOf(much, { overcommit: true }), heaps);
  const later = [...much, rule({ reservedBytes: bytes(1n) }, 102)];
  requireReservable(policyOf(later), heaps);
  const crossed = [LET_IN, reserve(101, 200n), rule({ maxBytes: bytes(199n) }, 101)];
  t.throws(() => requireReservable(policyOf(crossed, { overcommit: true }), heaps), {
    code: 'POLICY_INVALID',
    reason: /^test: reserved_bytes: user 101 reserves 200 B of heap 0; its limit is 199 B\./,
  });
  requireReservable(policyOf([reserve(101, 200n)]), heaps);
  t.pass('a user that only its group admits may have a reservation');
});
