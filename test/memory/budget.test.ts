/**
 * The budget on a scripted driver: answers that VK_EXT_memory_budget permits, answers that it forbids but
 * drivers give, and the bytes that are available with them.
 */
import t from 'tap';
import { Budget } from 'vkmemd/dist/memory/accounting/budget.js';
import { type Charge, Ledger } from 'vkmemd/dist/memory/accounting/ledger.js';
import { tenantOfUid as tenant } from 'vkmemd/dist/policy/tenant.js';
import { payer } from '../support/quotas.js';

interface Reported {
  readonly budget: bigint;
  readonly usage: bigint;
}

const THRESHOLDS = { elevated: 80, critical: 95 };
const SIZE = 1000n;

/** A budget on heaps of SIZE bytes each, whose driver answers with the result of `reported`. */
function scripted(reported: () => Reported[] | undefined, heaps = 1) {
  const ledger = new Ledger(heaps);
  const faults: unknown[] = [];
  const info = { heaps: Array.from({ length: heaps }, () => ({ size: SIZE })) };
  const source = { info, memoryBudget: async () => reported() };
  const events = { fault: (_what: string, cause: unknown) => faults.push(cause) };
  return { ledger, faults, budget: new Budget(source, ledger, THRESHOLDS, events) };
}

const live = (ledger: Ledger, bytes: bigint, heap = 0): Charge => {
  const charge = ledger.charge(bytes, heap, tenant(1));
  charge.commit();
  return charge;
};

t.test('without a driver budget, four fifths of the heap are available', async (t) => {
  const { ledger, budget } = scripted(() => undefined);
  const charge = live(ledger, 300n);
  t.match(await budget.heaps(), [
    { source: 'ESTIMATED', driverBudget: 800n, driverUsage: 300n, available: 500n, pressure: 'NORMAL' },
  ]);
  await t.rejects(budget.admit(501n, 0, payer(ledger, 1)), {
    code: 'BUDGET_EXCEEDED',
    metadata: { available_bytes: '500' },
  });
  charge.drain();
  t.match(
    await budget.heaps(),
    [{ driverUsage: 0n, draining: 300n, available: 500n }],
    'draining bytes are not available',
  );
  charge.settle();
  t.match(await budget.heaps(), [{ available: 800n }]);
});

t.test('a budget of 0 admits nothing', async (t) => {
  const { ledger, budget } = scripted(() => [{ budget: 0n, usage: 0n }]);
  t.match(await budget.heaps(), [{ source: 'EXT', driverBudget: 0n, available: 0n, pressure: 'CRITICAL' }]);
  await t.rejects(budget.admit(1n, 0, payer(ledger, 1)), {
    code: 'BUDGET_EXCEEDED',
    metadata: { available_bytes: '0' },
  });
  await t.rejects(
    budget.admit(SIZE + 1n, 0, payer(ledger, 1)),
    { code: 'SIZE_ABOVE_MAXIMUM' },
    'the size is checked first',
  );
  t.ok(ledger.empty);
});

t.test("a budget above the heap's size is limited to the heap", async (t) => {
  const { ledger, budget } = scripted(() => [{ budget: 2n ** 64n - 1n, usage: 100n }]);
  t.match(
    await budget.heaps(),
    [{ driverBudget: 2n ** 64n - 1n, available: 900n }],
    'reported, but not used',
  );
  await t.rejects(budget.admit(901n, 0, payer(ledger, 1)), { code: 'BUDGET_EXCEEDED' });
  const charge = await budget.admit(900n, 0, payer(ledger, 1));
  t.match(await budget.heaps(), [{ available: 0n, pending: 900n, pressure: 'CRITICAL' }]);
  charge.settle();
  t.ok(ledger.empty);
});

t.test('usage may exceed the budget, and the budget may shrink below the live bytes', async (t) => {
  let reported = { budget: 500n, usage: 700n };
  const { ledger, budget } = scripted(() => [reported]);
  t.match(await budget.heaps(), [{ available: 0n, driverUsage: 700n, pressure: 'CRITICAL' }]);
  reported = { budget: 900n, usage: 0n };
  const charge = await budget.admit(600n, 0, payer(ledger, 1));
  charge.commit();
  reported = { budget: 400n, usage: 600n };
  t.match(await budget.heaps(), [{ live: 600n, available: 0n, pressure: 'CRITICAL' }], 'live bytes stay');
  await t.rejects(budget.admit(1n, 0, payer(ledger, 1)), { code: 'BUDGET_EXCEEDED' });
  reported = { budget: 900n, usage: 600n };
  t.match(
    await budget.heaps(),
    [{ live: 600n, available: 300n, pressure: 'NORMAL' }],
    'the budget may grow again',
  );
  charge.drain();
  reported = { budget: 900n, usage: 0n };
  t.match(
    await budget.heaps(),
    [{ draining: 600n, available: 300n }],
    'draining bytes that the driver no longer counts are not available',
  );
  charge.settle();
  t.ok(ledger.empty);
});

t.test('a driver may report fewer or more heaps than the device has', async (t) => {
  const { ledger, budget } = scripted(() => [{ budget: 700n, usage: 0n }], 2);
  t.match(await budget.heaps(), [
    { source: 'EXT', available: 700n },
    { source: 'ESTIMATED', available: 800n },
  ]);
  (await budget.admit(800n, 1, payer(ledger, 1))).settle();
  const more = scripted(() => Array.from({ length: 3 }, () => ({ budget: 700n, usage: 0n })), 2);
  t.equal((await more.budget.heaps()).length, 2);
  await t.rejects(
    more.budget.admit(1n, 2, payer(more.ledger, 1)),
    { code: 'SIZE_ABOVE_MAXIMUM' },
    'the heap does not exist',
  );
});

t.test('without an answer of the driver nothing is admitted', async (t) => {
  let failure: Error | undefined = new Error('lost');
  const { ledger, budget, faults } = scripted(() => {
    if (failure) throw failure;
    return [{ budget: 700n, usage: 0n }];
  });
  t.match(
    await budget.heaps(),
    [{ source: 'ESTIMATED', available: 800n }],
    'queries are answered with an estimate',
  );
  await budget.heaps();
  t.strictSame(faults, [failure], 'and the failure is reported once');
  await t.rejects(budget.admit(1n, 0, payer(ledger, 1)), failure, 'nothing is admitted on an estimate');
  t.ok(ledger.empty);
  failure = undefined;
  t.match(await budget.heaps(), [{ source: 'EXT' }]);
  (await budget.admit(700n, 0, payer(ledger, 1))).settle();
  failure = new Error('lost again');
  await budget.heaps();
  t.equal(faults.length, 2, 'the next failure is reported again');
});

t.test('an allocation that replaces freed memory does not hide other usage', async (t) => {
  const ledger = new Ledger(1);
  let answer: (reported: Reported[]) => void = () => {};
  const memoryBudget = () => new Promise<Reported[]>((resolve) => (answer = resolve));
  const source = { info: { heaps: [{ size: SIZE }] }, memoryBudget };
  const budget = new Budget(source, ledger, THRESHOLDS, { fault: (what) => t.fail(what) });
  const old = live(ledger, 300n);
  const coming = ledger.charge(300n, 0, tenant(1));
  const asked = budget.heaps();
  old.drain();
  // The driver's sample is taken here: it no longer counts the first allocation and does not count the second
  // yet.
  const reported = [{ budget: 900n, usage: 100n }];
  coming.commit();
  answer(reported);
  t.match(
    await asked,
    [{ live: 300n, draining: 300n, available: 200n }],
    '100 bytes of other processes are still counted',
  );
  old.settle();
  coming.settle();
});
