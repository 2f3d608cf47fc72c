/** Work in slices: how much is done in one turn of the event loop, and whose turn is next. */
import t from 'tap';
import { Slices } from 'vkmemd/dist/limits/slices.js';

const tenant = (key: string) => ({ key, name: key });
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const numbers = (count: number) => Array.from({ length: count }, (_, at) => at);

/** Slices with a clock that one item moves by one millisecond. */
function clocked() {
  let now = 0;
  const slices = new Slices(() => now);
  const done: string[] = [];
  const work = (name: string, count: number) =>
    slices.run(tenant(name), numbers(count), () => {
      now += 1;
      done.push(name);
    });
  return { slices, done, work };
}

t.test('what fits into this turn is done at once, the rest in later turns', async (t) => {
  const { slices, done, work } = clocked();
  const all = work('one', 40);
  t.equal(done.length, 16, 'until the clock was read');
  const other = work('two', 1);
  t.equal(done.length, 16, 'the slices of all tenants together have a limit');
  await turn();
  t.same([done.length, done.filter((name) => name === 'two').length], [32, 0]);
  await turn();
  t.equal(done[32], 'two', 'tenants take turns');
  await Promise.all([all, other]);
  await slices.idle();
  t.equal(done.length, 41);
});

t.test('an item that fails ends the work, and no other work', async (t) => {
  const slices = new Slices();
  const fail = slices.run(tenant('one'), numbers(3), (at) => {
    if (at === 1) throw new Error('no room');
  });
  await t.rejects(fail, { message: 'no room' });
  let parts = 0;
  const around = (part: () => void) => {
    parts += 1;
    part();
  };
  await slices.run(tenant('one'), numbers(3), () => {}, { around });
  t.equal(parts, 1, 'a slice is one transaction');
});
