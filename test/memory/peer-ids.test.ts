/**
 * Ids of ivshmem peers: the lowest free one, but never one whose previous holder was seen to leave by a peer
 * that is still present.
 */
import fc from 'fast-check';
import t from 'tap';
import { PeerIds } from 'vkmemd/dist/memory/ivshmem/peer-ids.js';

t.test('an id is reused when every peer that saw it leave has left', async (t) => {
  const ids = new PeerIds();
  t.strictSame([ids.allocate(), ids.allocate(), ids.allocate()], [0, 1, 2]);
  ids.release(1);
  t.equal(ids.allocate(), 3, '0 and 2 saw it leave');
  ids.release(0);
  t.equal(ids.allocate(), 4, '2 saw it leave');
  ids.release(2);
  t.equal(ids.allocate(), 1, '3 and 4 joined later');
  ids.release(1, false);
  t.equal(ids.allocate(), 1, 'no peer saw it');
  for (const id of [1, 3, 4]) ids.release(id);
  t.equal(ids.allocate(), 0, 'with no peer left, ids start at 0');
});

t.test('ids from before a restart count as seen by all present peers', async (t) => {
  const ids = new PeerIds();
  ids.restore(2);
  ids.restored(5);
  t.equal(ids.allocate(), 5);
  ids.release(2);
  t.equal(ids.allocate(), 0, 'a peer that joined later has seen none of them');
});

t.test('there are 65536 ids while one peer stays', async (t) => {
  const ids = new PeerIds();
  ids.allocate();
  for (let id = 1; id <= 65_535; id += 1) ids.release(ids.allocate());
  t.throws(() => ids.allocate(), { code: 'TOO_MANY_PEERS' });
  ids.release(0);
  t.equal(ids.allocate(), 0);
});

t.test('no present peer has seen a reused id leave, after any sequence', async (t) => {
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
          if (there.has(id)) throw new Error(`${id} is present`);
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
  t.pass('no reused id was seen to leave by a present peer');
});
