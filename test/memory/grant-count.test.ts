/**
 * Grants that nobody releases: there are so many, and one user leaves something to the others.
 */
import t from 'tap';
import { GrantCount } from 'vkmemd/dist/memory/grant/count.js';

t.test('a user that releases nothing is refused; others are not', async (t) => {
  const count = new GrantCount(64);
  const mine = Array.from({ length: 48 }, () => count.take(1));
  t.throws(() => count.take(1), {
    code: 'QUOTA_EXCEEDED',
    metadata: { what: 'grants', limit: '48', whose: 'user' },
  });
  const others = [2, 3, 4, 5].flatMap((uid) => Array.from({ length: 4 }, () => count.take(uid)));
  t.throws(() => count.take(6), { code: 'QUOTA_EXCEEDED', metadata: { limit: '64', whose: 'daemon' } });
  for (const uncount of [...mine, ...others]) uncount();
  const outlived = Array.from({ length: 70 }, () => count.count(1));
  t.throws(() => count.take(2), { code: 'QUOTA_EXCEEDED' }, 'those of an earlier daemon count, however many');
  for (const uncount of outlived) uncount();
  count.take(1)();
});
