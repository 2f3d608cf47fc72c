/**
 * Ids of ivshmem peers: the lowest first, and never one that somebody who is there saw leave.
 */
import fc from 'fast-check';
import t from 'tap';
import { PeerIds } from 'vkmemd/dist/memory/ivshmem/peer-ids.js';

t.test('an id comes back when everybody has gone who saw it leave', async (t) => {
  const ids = new PeerIds();
  t.strictSame([ids.allocate(), ids.allocate(), ids.allocate()], [0, 1, 2]);
  ids.release(1);
  t.equal(ids.allocate(), 3, 'not while 0 and 2 are there');
  ids.release(0);
  t.equal(ids.allocate(), 4, 'nor while 2 is');
  ids.release(2);
  t.equal(ids.allocate(), 1, '3 and 4 came later');
  ids.release(1, false);
  t.equal(ids.allocate(), 1, 'nobody had heard of it');
  for (const id of [1, 3, 4]) ids.release(id);
  t.equal(ids.allocate(), 0, 'all begins anew when nobody is there');
});

t.test('what was before a restart is taken as seen by all who are there', async (t) => {
  const ids = new PeerIds();
  ids.restore(2);
  ids.restored(5);
  t.equal(ids.allocate(), 5);
  ids.release(2);
  t.equal(ids.allocate(), 0, 'whoever came after it has seen none of them');
});

t.test('there are 65536 while one stays', async (t) => {
  const ids = new PeerIds();
  ids.allocate();
  for (let id = 1; id <= 65_535; id += 1) ids.release(ids.allocate());
  t.throws(() => ids.allocate(), { code: 'TOO_MANY_PEERS' });
  ids.release(0);
  t.equal(ids.allocate(), 0);
});

t.test('whatever comes and goes', async (t) => {
  const step = fc.record({ join: fc.boolean(), which: fc.nat(1000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const ids = new PeerIds();
      const there = new Map<number, Set<number>>();
      for (const { join, which } of steps) {
        const present = [...there.keys()];
        if (join || present.length === 0) {
          const id = ids.allocate();
          for (const seen of there.values()) if (seen.has(id)) throw new Error(`${id} was seen to leave`);
          if (there.has(id)) throw new Error(`${id} is there`);
          there.set(id, new Set());
          continue;
        }
        const gone = present[which % present.length] as number;
        there.delete(gone);
        for (const seen of there.values()) seen.add(gone);
        ids.release(gone);
      }
    }),
  );
  t.pass('nobody who is there has seen an id leave that is given again');
});
