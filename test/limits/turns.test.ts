/** Turns of short work: tenants in rotation, a few pieces in each turn of the event loop. */
import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { Turns } from 'vkmemd/dist/limits/turns.js';

const tenant = (name: string) => ({ key: `uid:${name}`, name });

t.test('one piece begins at once where none waits; the others take turns', async (t) => {
  const turns = new Turns(2);
  const begun: string[] = [];
  const add = (name: string, piece: number) => turns.add(tenant(name), () => begun.push(`${name}${piece}`));
  for (let piece = 1; piece <= 4; piece += 1) add('a', piece);
  add('b', 1);
  add('c', 1);
  t.strictSame(begun, ['a1']);
  t.equal(turns.size, 5);
  await setImmediate();
  t.strictSame(begun, ['a1', 'a2', 'b1'], 'two a turn, of two tenants');
  await setImmediate();
  t.strictSame(begun.slice(3), ['c1', 'a3'], 'a tenant that had a turn comes last');
  await setImmediate();
  t.strictSame(begun.slice(5), ['a4']);
  t.equal(turns.size, 0);
  await setImmediate();
  add('a', 5);
  t.equal(begun.at(-1), 'a5', 'at once again');
});

t.test('pieces that are added by pieces wait for their turn, and nothing keeps the loop busy', async (t) => {
  const turns = new Turns(1);
  let rounds = 0;
  const again = () => {
    rounds += 1;
    if (rounds < 5) turns.add(tenant('a'), again);
  };
  turns.add(tenant('a'), again);
  for (let turn = 0; turn < 8; turn += 1) await setImmediate();
  t.equal(rounds, 5);
  t.equal(turns.size, 0);
});

t.test('a piece that costs more uses more of a turn', async (t) => {
  const turns = new Turns(4);
  const begun: string[] = [];
  const add = (name: string, cost?: number) => turns.add(tenant(name), () => begun.push(name), cost);
  for (const [name, cost] of [
    ['first', 1],
    ['dear', 60],
    ['b', 1],
    ['c', 1],
  ] as const)
    add(name, cost);
  await setImmediate();
  t.strictSame(begun, ['first', 'dear']);
  await setImmediate();
  t.strictSame(begun.slice(2), ['b', 'c']);
  t.equal(turns.size, 0);
});
