/**
 * Quotas without a device: the policy's terms become numbers, limits hold, and nothing remains of a tenant
 * that has ended.
 */
import t from 'tap';
import { type Balance, Ledger } from 'vkmemd/dist/memory/accounting/ledger.js';
import type { Tenant } from 'vkmemd/dist/policy/tenant.js';
import { UnitPattern } from 'vkmemd/dist/policy/unit-pattern.js';
import {
  bytes,
  Host,
  heapOf,
  LET_IN,
  OPERATOR_UID,
  peer,
  policyOf,
  rule,
  SIZE,
  settled,
} from '../support/quotas.js';

const [ANN, BEN, CLEO] = [peer(101), peer(102), peer(103)];

t.test("the policy's terms become numbers", async (t) => {
  const heaps = new Map([[1, { percent: 12.5 }]]);
  const policy = policyOf([
    LET_IN,
    rule({ maxBytes: { every: { bytes: 300n }, heaps }, maxAllocations: 2, maxTickets: undefined }, 101),
    rule({ maxBytes: { every: 'unlimited' }, maxSessions: 0 }, 102),
  ]);
  const { quotas } = new Host(policy, 2);
  t.strictSame(quotas.of(ANN).describe(), {
    uid: 101,
    revision: 1n,
    heaps: [
      { heapIndex: 0, limitBytes: 300n, usedBytes: 0n, overageBytes: 0n, reservedBytes: 0n },
      { heapIndex: 1, limitBytes: 125n, usedBytes: 0n, overageBytes: 0n, reservedBytes: 0n },
    ],
    allocations: { limit: 2, used: 0, overage: 0 },
    sessions: { limit: 1024, used: 0, overage: 0 },
    tickets: { used: 0, overage: 0 },
    overridden: false,
    tenant: { key: 'uid:101', uid: 101, name: '101' },
  });
  t.notOk('limitBytes' in (heapOf(quotas.of(BEN)) ?? {}), 'no limit is shown where there is none');
  t.throws(() => quotas.of(BEN).take('sessions'), {
    code: 'TOO_MANY_SESSIONS',
    metadata: { scope: 'user', limit: '0', used: '0' },
  });
  await settled();
  t.strictSame(quotas.tenants.toArray(), [], 'a tenant that has nothing is not recorded');
});

t.test('bytes and allocations are charged until they are freed', async (t) => {
  const host = new Host(policyOf([LET_IN, rule({ maxBytes: bytes(300n), maxAllocations: 2 }, 101)]), 2);
  const first = await host.admit(ANN, 200n);
  await t.rejects(host.admit(ANN, 101n), {
    code: 'QUOTA_EXCEEDED',
    metadata: { heap: '0', requested_bytes: '101', limit_bytes: '300', used_bytes: '200' },
  });
  (await host.admit(ANN, 100n)).settle();
  first.commit();
  const other = await host.admit(ANN, 300n, 1);
  const used = () => host.quotas.of(ANN).describe();
  t.match(used(), { heaps: [{ usedBytes: 200n }, { usedBytes: 300n }], allocations: { used: 2 } });
  await t.rejects(host.admit(ANN, 1n), {
    code: 'QUOTA_EXCEEDED',
    metadata: { what: 'allocations', limit: '2' },
  });
  other.settle();
  first.drain();
  t.match(
    used(),
    { heaps: [{ usedBytes: 200n }, { usedBytes: 0n }], allocations: { used: 1 } },
    'draining bytes are charged',
  );
  await t.rejects(host.admit(ANN, 101n), { code: 'QUOTA_EXCEEDED' });
  first.settle();
  t.match(used(), { heaps: [{ usedBytes: 0n }, { usedBytes: 0n }], allocations: { used: 0 } });
  t.ok(host.ledger.empty);
  t.strictSame([host.ledger.tenants, host.faults], [[], []]);
});

t.test('concurrent requests are never charged the same bytes', async (t) => {
  const host = new Host(policyOf([LET_IN, rule({ maxBytes: bytes(300n) }, 101)]));
  const ends = await Promise.allSettled([
    host.admit(ANN, 200n),
    host.admit(ANN, 200n),
    host.admit(ANN, 100n),
  ]);
  t.strictSame(
    ends.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  for (const end of ends) if (end.status === 'fulfilled') end.value.settle();
});

t.test('the heap is shared by the present users and one more', async (t) => {
  const host = new Host(policyOf([LET_IN]));
  const limit = (identity = ANN) => heapOf(host.quotas.of(identity))?.limitBytes;
  t.equal(limit(), SIZE / 2n, 'the user that asks is counted, present or not');
  const charge = await host.admit(ANN, 500n);
  t.equal(limit(), SIZE / 2n);
  await t.rejects(host.admit(ANN, 1n), { code: 'QUOTA_EXCEEDED' });
  const session = host.quotas.of(BEN).take('sessions');
  t.strictSame([limit(BEN), limit(CLEO)], [SIZE / 3n, SIZE / 4n]);
  t.match(
    heapOf(host.quotas.of(ANN)),
    { limitBytes: 333n, usedBytes: 500n, overageBytes: 167n },
    'nothing is taken away',
  );
  const operator = host.quotas.of(peer(OPERATOR_UID)).take('sessions');
  t.equal(limit(), SIZE / 3n, 'operators are not counted');
  t.equal(limit(peer(OPERATOR_UID)), undefined);
  session[Symbol.dispose]();
  t.equal(limit(), SIZE / 2n);
  operator[Symbol.dispose]();
  charge.settle();
});

t.test('a lease is released once, and nothing remains of a tenant that has ended', async (t) => {
  const host = new Host(policyOf([LET_IN]));
  const [session, ticket] = [host.quotas.of(ANN).take('sessions'), host.quotas.of(ANN).take('tickets')];
  t.match(host.quotas.of(ANN).describe(), { sessions: { used: 1 }, tickets: { used: 1 } });
  session[Symbol.dispose]();
  t.throws(() => session[Symbol.dispose](), /released twice/);
  t.equal(host.quotas.tenants.toArray().length, 1);
  const last = host.quotas.of(ANN);
  ticket[Symbol.dispose]();
  t.strictSame([host.quotas.tenants.toArray(), host.faults], [[], []]);
  t.throws(() => last.take('tickets'), /was used after it had been removed/, 'use after removal is reported');
});

t.test('an account that is not zero when its tenant ends is reported, not thrown', async (t) => {
  class Wrong extends Ledger {
    override tenant(tenant: Tenant, heap?: number): Balance {
      return { ...super.tenant(tenant, heap), live: 5n };
    }
  }
  const host = new Host(policyOf([LET_IN]), 1, new Wrong(1));
  host.quotas.of(ANN).take('sessions')[Symbol.dispose]();
  t.strictSame(host.faults, ['tenant 101 has nothing left, but its account is not zero']);
});

t.test('reading a quota changes nothing', async (t) => {
  const units = [UnitPattern.of('render.service')].filter((unit) => unit !== undefined);
  const byUnit = { where: 'test', match: { units }, gives: { reservedBytes: bytes(700n), maxSessions: 5 } };
  const host = new Host(policyOf([LET_IN, byUnit]));
  const [plain, renderer] = [peer(101), peer(101, { unit: 'render.service' })];
  const reserved = async () => (await host.budget.heaps())[0]?.guaranteed;
  t.match(host.quotas.of(renderer).describe(), {
    sessions: { limit: 5 },
    heaps: [{ reservedBytes: 700n, limitBytes: 700n }],
  });
  t.equal(host.quotas.ofTenant(plain.tenant).idle, true);
  t.throws(() => host.quotas.of(plain).require(SIZE, 0), { code: 'QUOTA_EXCEEDED' });
  t.strictSame([host.quotas.tenants.toArray(), await reserved()], [[], 0n], 'for a tenant that has nothing');
  const session = host.quotas.of(plain).take('sessions');
  host.quotas.of(renderer).describe();
  t.match(host.quotas.ofTenant(plain.tenant).describe(), { sessions: { limit: 1024, used: 1 } });
  t.equal(await reserved(), 0n, 'for one that has something');
  const ticket = host.quotas.of(renderer).take('tickets');
  t.equal(await reserved(), 700n, 'a tenant has the terms of its latest request that took something');
  const charge = await host.admit(plain, 1n);
  t.equal(await reserved(), 0n);
  for (const held of [session, ticket]) held[Symbol.dispose]();
  charge.settle();
  t.strictSame([host.quotas.tenants.toArray(), host.faults], [[], []]);
});

t.test('objects owned by a charge are disposed after it is removed from the accounts', async (t) => {
  const host = new Host(policyOf([LET_IN]));
  const charge = await host.admit(ANN, 10n);
  const order: string[] = [];
  for (const name of ['a', 'b']) {
    charge.own({ [Symbol.dispose]: () => order.push(`${name} ${host.ledger.tenants.length}`) });
  }
  charge.commit();
  charge.drain();
  t.strictSame(order, []);
  charge.settle();
  t.strictSame(order, ['a 0', 'b 0']);
});

t.test('a reservation by a rule for a group applies to the process that asks', async (t) => {
  const byGroup = { where: 'test', match: { groups: new Set([50]) }, gives: { reservedBytes: bytes(500n) } };
  const own = rule({ reservedBytes: bytes(400n) }, 101);
  const member = peer(101, { groups: [50] });
  const others = rule({ maxBytes: { every: 'unlimited' } }, 103);
  const host = new Host(policyOf([LET_IN, own, byGroup, others]));
  const other = await host.admit(CLEO, 300n);
  const alone = await host.admit(member, 500n);
  alone.settle();
  const session = host.quotas.of(member).take('sessions');
  const ticket = host.quotas.of(ANN).take('tickets');
  const after = await host.admit(member, 500n);
  for (const held of [session, ticket]) held[Symbol.dispose]();
  after.settle();
  other.settle();
  t.strictSame([host.ledger.empty, host.faults], [true, []]);
});
