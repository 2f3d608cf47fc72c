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
  arrive(1, 'first');
  t.strictSame(served, ['first'], 'at once while none waits');
  for (let at = 0; at < 20; at += 1) arrive(1, `flood ${at}`);
  arrive(2, 'other');
  t.equal(newcomers.size, 21);
  t.equal(budget.leased, 21, 'those that wait have leases');
  await setImmediate();
  t.strictSame(served.slice(1), ['flood 0', 'other', 'flood 1', 'flood 2']);
  while (newcomers.size > 0) await setImmediate();
  t.equal(served.length, 22);
  t.equal(budget.leased, 0);
});

t.test('a user who has its share of fds is refused, and others are not', async (t) => {
  const budget = new FdBudget({ max: 256, open: 20 }, 32);
  const { newcomers } = budget;
  const share = Math.ceil((budget.capacity * 3) / 4);
  let served = 0;
  const arrive = (uid: number) =>
    newcomers.admit(uid, () => {
      served += 1;
    });
  for (let at = 0; at <= share; at += 1) arrive(1);
  t.equal(served, 1);
  const answered = Array.from({ length: 20 }, () => arrive(1)).filter(Boolean);
  t.same(
    [answered.length, served],
    [8, 9],
    'there is no lease for more: 8 in a turn get the reason, others are closed',
  );
  arrive(2);
  t.same([served, budget.leased], [9, share + 1], 'one of another user waits');
  while (newcomers.size > 0) await setImmediate();
  t.equal(served, share + 10);
  t.equal(budget.leased, 0);
  const counted: string[] = [];
  new Newcomers(({ key }) => void counted.push(key)).admit(1, () => {});
  t.strictSame(counted, [tenantOfUid(1).key], 'leases are of the tenant');
});
