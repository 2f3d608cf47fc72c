/** Pressure on a heap, by thresholds. */
import t from 'tap';
import { pressureOf, worst } from 'vkmemd/dist/memory/accounting/pressure.js';

const usual = { elevated: 80, critical: 95 };

t.test('usage at a threshold has the higher level', async (t) => {
  const of = (available: bigint, limit: bigint) => pressureOf(available, limit, usual);
  t.equal(of(1000n, 1000n), 'NORMAL');
  t.equal(of(201n, 1000n), 'NORMAL');
  t.equal(of(200n, 1000n), 'ELEVATED');
  t.equal(of(51n, 1000n), 'ELEVATED');
  t.equal(of(50n, 1000n), 'CRITICAL');
  t.equal(of(0n, 1000n), 'CRITICAL');
  t.equal(of(0n, 0n), 'CRITICAL', 'a heap of size 0 is full');
  const huge = 2n ** 63n;
  t.equal(of(huge / 5n + 1n, huge), 'NORMAL', 'exact to the byte, for any size');
  t.equal(of(huge / 5n, huge), 'ELEVATED');
});

t.test('thresholds of 1 and 100', async (t) => {
  t.equal(
    pressureOf(99n, 100n, { elevated: 1, critical: 1 }),
    'CRITICAL',
    'with equal thresholds there is no ELEVATED',
  );
  t.equal(pressureOf(100n, 100n, { elevated: 1, critical: 1 }), 'NORMAL');
  t.equal(pressureOf(1n, 100n, { elevated: 100, critical: 100 }), 'NORMAL');
  t.equal(pressureOf(0n, 100n, { elevated: 100, critical: 100 }), 'CRITICAL');
});

t.test('the pressure of several heaps is the highest', async (t) => {
  t.equal(worst(['NORMAL', 'CRITICAL', 'ELEVATED']), 'CRITICAL');
  t.equal(worst(['NORMAL', 'ELEVATED']), 'ELEVATED');
  t.equal(worst(['NORMAL']), 'NORMAL');
  t.equal(worst([]), 'NORMAL');
});
