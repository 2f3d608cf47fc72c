/** Newcomers: which accepted connections are served when. */
import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { FdBudget } from 'vkmemd/dist/limits/fd-budget.js';
import { Newcomers } from 'vkmemd/dist/limits/newcomers.js';
import { tenantOfUid } from 'vkmemd/dist/policy/tenant.js';

t.test('users take turns, a few connections in each turn of the event loop', async (t) => {
  const budget = new FdBudget({ max: 1024, open: 20 }, 32);
  const { newcomers } = budget;
  const served: string[] = [];
  const arrive = (uid: number, name: string) => newcomers.admit(uid, () => served.push(name));
  t.ok(arrive(1, 'first'));
  t.strictSame(served, ['first'], 'at once while none waits');
  for (let at = 0; at < 20; at += 1) t.ok(arrive(1, `flood ${at}`));
  t.ok(arrive(2, 'other'));
  t.equal(newcomers.size, 21);
  t.equal(budget.leased, 21, 'those that wait have leases');
  await setImmediate();
  t.strictSame(served.slice(1), ['flood 0', 'other', 'flood 1', 'flood 2']);
  while (newcomers.size > 0) await setImmediate();
  t.equal(served.length, 22);
  t.equal(budget.leased, 0);
});

t.test('a user who has its share of fds does not keep others out', async (t) => {
  const budget = new FdBudget({ max: 256, open: 20 }, 32);
  const { newcomers } = budget;
  let served = 0;
  const arrive = (uid: number) =>
    newcomers.admit(uid, () => {
      served += 1;
    });
  let admitted = 0;
  while (arrive(1)) admitted += 1;
  t.equal(
    admitted,
    1 + Math.ceil((budget.capacity * 3) / 4) + budget.refusals,
    'served, leased, to be refused',
  );
  t.notOk(arrive(1), 'the next is closed');
  t.ok(arrive(2), 'one of another user waits');
  t.equal(budget.leased, Math.ceil((budget.capacity * 3) / 4) + 1);
  while (newcomers.size > 0) await setImmediate();
  t.equal(served, admitted + 1);
  t.equal(budget.leased, 0);
  const lease = budget.lease(tenantOfUid(1), 1);
  const counted: string[] = [];
  const own = new Newcomers({ refusals: 0, lease: ({ key }) => void counted.push(key) });
  t.notOk(own.admit(1, () => {}));
  t.strictSame(counted, [tenantOfUid(1).key], 'leases are of the tenant');
  lease[Symbol.dispose]();
});
