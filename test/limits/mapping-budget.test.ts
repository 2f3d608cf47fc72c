/** Memory mappings are leased to allocations, so that the kernel's limit is never reached. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { MappingBudget, openMappings } from 'vkmemd/dist/limits/mapping-budget.js';

const tenant = (uid: number) => ({ key: `uid:${uid}`, name: `user ${uid}` });

t.test('what the kernel reports', async (t) => {
  const { max, open } = openMappings();
  t.equal(max, Number(readFileSync('/proc/sys/vm/max_map_count', 'utf8')));
  t.ok(open > 50 && open < max, `${open} of ${max}`);
});

t.test('all but a reserve can be leased, three quarters of it by one tenant', async (t) => {
  const mappings = new MappingBudget({ max: 65_530, open: 434 });
  t.equal(mappings.capacity, 61_000);
  const held = Array.from({ length: 45_750 }, () => mappings.lease(tenant(1)));
  t.throws(() => mappings.lease(tenant(1)), {
    code: 'TOO_MANY_ALLOCATIONS',
    metadata: { limit: '45750', whose: 'user' },
  });
  const other = mappings.lease(tenant(2));
  t.equal(mappings.leased, 45_751);
  for (const lease of [...held, other]) lease[Symbol.dispose]();
  t.equal(mappings.leased, 0);
});

t.test('allocations that survived a restart are counted above the limit', async (t) => {
  const mappings = new MappingBudget({ max: 1000, open: 740 });
  t.equal(mappings.capacity, 10, 'a small limit has a small reserve');
  const survived = Array.from({ length: 11 }, () => mappings.count(tenant(1)));
  const refused = { code: 'TOO_MANY_ALLOCATIONS', message: /vm\.max_map_count/, next: /sysctl/ };
  t.throws(() => mappings.lease(tenant(2)), refused);
  survived.splice(0, 2).forEach((lease) => void lease[Symbol.dispose]());
  mappings.lease(tenant(2))[Symbol.dispose]();
  for (const lease of survived) lease[Symbol.dispose]();
  t.equal(mappings.leased, 0);
});
