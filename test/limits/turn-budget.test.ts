/** A budget for each turn of the event loop. */
import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { TurnBudget } from 'vkmemd/dist/limits/turn-budget.js';

t.test('so many pieces in one turn, and as many in the next', async (t) => {
  const budget = new TurnBudget(3);
  const taken = () => [1, 2, 3, 4].map(() => budget.take());
  t.strictSame(taken(), [true, true, true, false]);
  await Promise.resolve();
  t.notOk(budget.take(), 'a microtask is of the same turn');
  await setImmediate();
  t.strictSame(taken(), [true, true, true, false]);
  await setImmediate();
  t.ok(budget.take());
  await setImmediate();
  t.strictSame(taken(), [true, true, true, false], 'what was left is not added');
});
