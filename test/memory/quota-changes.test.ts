/** Changes of quotas without a device: by an operator and by a reloaded policy, each with a new revision. */
import t from 'tap';
import type { Change } from 'vkmemd/dist/memory/accounting/terms.js';
import { tenantOfUid as tenant } from 'vkmemd/dist/policy/tenant.js';
import { bytes, Host, LET_IN, peer, policyOf, rule, SIZE, settled } from '../support/quotas.js';

const [ANN, BEN] = [peer(101), peer(102)];
const change = (terms: Partial<Change>): Change => ({ limits: new Map(), reserved: new Map(), ...terms });

t.test('an operator can change a quota at run time', async (t) => {
  const host = new Host(
    policyOf([LET_IN, rule({ maxBytes: bytes(300n), reservedBytes: bytes(100n) }, 101)]),
    2,
  );
  const held = await host.admit(ANN, 300n);
  const quota = host.quotas.of(ANN);
  const conflict = (terms: Partial<Change>, of = quota) => host.quotas.conflict(of, change(terms));
  t.equal(conflict({ limits: new Map([[2, 1n]]) }), 'The device has no heap 2.');
  t.match(
    conflict({ limits: new Map([[0, 99n]]) }),
    /^100 bytes of heap 0 would be reserved, above the limit of 99\./,
  );
  t.match(conflict({ reserved: new Map([[0, 301n]]) }), /^301 bytes .* limit of 300\.$/);
  const tooMuch = { limits: new Map([[1, 2000n]]), reserved: new Map([[1, SIZE + 1n]]) };
  t.match(conflict(tooMuch), /^1001 bytes, plus 0 for other tenants, exceed the 1000 bytes of heap 1\.$/);
  t.match(
    conflict({ reserved: new Map([[0, 901n]]) }, host.quotas.of(BEN)),
    /^901 .* plus 100 for other tenants/,
  );
  t.equal(conflict({ reserved: new Map([[0, 900n]]) }, host.quotas.of(BEN)), undefined);

  quota.set(change({ limits: new Map([[0, 200n]]), allocations: 5 }));
  t.match(quota.describe(), {
    revision: 2n,
    overridden: true,
    heaps: [
      { limitBytes: 200n, usedBytes: 300n, overageBytes: 100n, reservedBytes: 100n },
      { limitBytes: 300n },
    ],
    allocations: { limit: 5, used: 1 },
  });
  await t.rejects(host.admit(ANN, 1n), {
    code: 'QUOTA_EXCEEDED',
    metadata: { limit_bytes: '200', used_bytes: '300' },
  });
  held.settle();
  (await host.admit(ANN, 200n)).settle();
  await settled();
  t.match(
    host.quotas.ofTenant(tenant(101)).describe(),
    { revision: 2n, overridden: true },
    'the change stays although the tenant has nothing',
  );
  quota.set(undefined);
  t.match(quota.describe(), { revision: 3n, overridden: false, heaps: [{ limitBytes: 300n }, {}] });
  t.equal(host.quotas.of(ANN).revision, 3n, 'revisions only increase');
});

t.test('a reloaded policy changes quotas', async (t) => {
  const host = new Host(policyOf([LET_IN, rule({ reservedBytes: bytes(400n) }, 103)]));
  const [ann, ben] = [host.quotas.of(ANN).take('sessions'), host.quotas.of(BEN).take('sessions')];
  host.quotas.of(BEN).set(change({ sessions: 1 }));
  host.authority.replace(
    policyOf([LET_IN, rule({ maxSessions: 5 }, 101, 102), rule({ reservedBytes: bytes(1n) }, 102)]),
  );
  t.match((await host.budget.heaps())[0], { guaranteed: 1n }, 'it applies at the next use');
  t.match(host.quotas.ofTenant(tenant(101)).describe(), { revision: 2n, sessions: { limit: 5, used: 1 } });
  t.match(host.quotas.ofTenant(tenant(102)).describe(), {
    revision: 3n,
    sessions: { limit: 1 },
    heaps: [{ reservedBytes: 1n }],
  });
  t.equal(
    host.quotas.ofTenant(tenant(103)).revision,
    2n,
    'it may change the quota of a tenant that has nothing',
  );
  host.authority.replace(policyOf([LET_IN, rule({ maxSessions: 5 }, 101, 102)]));
  t.equal(host.quotas.ofTenant(tenant(101)).revision, 2n, 'an unchanged quota keeps its revision');
  ann[Symbol.dispose]();
  t.equal(host.quotas.of(ANN).revision, 3n);
  host.authority.replace(policyOf([rule({ connect: true }, 102)]));
  t.throws(() => host.quotas.of(ANN).take('tickets'), {
    code: 'QUOTA_EXCEEDED',
    metadata: { what: 'tickets' },
  });
  ben[Symbol.dispose]();
});
