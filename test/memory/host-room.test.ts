/** The room that the host leaves: on which heaps it counts, and what is subtracted from what was read. */
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { Budget } from 'vkmemd/dist/memory/accounting/budget.js';
import { HostRoom } from 'vkmemd/dist/memory/accounting/host-room.js';
import { Ledger } from 'vkmemd/dist/memory/accounting/ledger.js';
import { payer } from '../support/quotas.js';

const [DEVICE_LOCAL, HOST] = [1, 0];
const SIZE = 1000n;

function roomOf(type: string, left: bigint, largestFile?: bigint) {
  const heaps = [
    { flags: DEVICE_LOCAL, size: SIZE },
    { flags: HOST, size: SIZE },
  ];
  const limits = {
    bytes: left,
    reads: 0,
    largestFile,
    left() {
      this.reads += 1;
      return { bytes: this.bytes, limit: '/group/memory.max' };
    },
  };
  const ledger = new Ledger(2);
  const room = new HostRoom(limits, ledger, { type, heaps });
  const source = { info: { heaps }, memoryBudget: async () => undefined };
  const thresholds = { elevated: 80, critical: 95 };
  const budget = new Budget(source, ledger, thresholds, { fault: (what) => t.fail(what) }, undefined, room);
  const admit = (bytes: bigint, heap = 1, makes = true) => budget.admit(bytes, heap, payer(ledger, 1), makes);
  return { limits, budget, admit };
}

const beyond = (left: bigint) => ({
  code: 'DEVICE_OUT_OF_MEMORY',
  reason: /\/group\/memory\.max leaves/,
  metadata: { limit: '/group/memory.max', available_bytes: String(left) },
});

t.test('a heap of the host is limited by it, a heap of the device is not', async (t) => {
  const { budget, admit } = roomOf('discrete', 100n);
  t.match(await budget.heaps(), [
    { available: 800n, limitedBy: '' },
    { available: 100n, limitedBy: '/group/memory.max', pressure: 'NORMAL' },
  ]);
  await t.rejects(admit(101n), beyond(100n));
  (await admit(101n, 0)).settle();
  (await admit(101n, 1, false)).settle();
  for (const type of ['cpu', 'integrated']) {
    const shared = roomOf(type, 100n);
    await t.rejects(shared.admit(101n, 0), beyond(100n), `${type}: all memory is the host's`);
  }
  await t.rejects(admit(801n), { code: 'BUDGET_EXCEEDED' }, 'what the driver has not is refused as before');
});

t.test('requests under way, and what was made since the limits were read, are subtracted', async (t) => {
  const { limits, budget, admit } = roomOf('cpu', 100n);
  const first = await admit(60n);
  await t.rejects(admit(41n, 0), beyond(40n), 'it is being made, on whichever heap');
  first.commit();
  const { reads } = limits;
  t.match((await budget.heaps())[0], { available: 40n });
  t.equal(limits.reads, reads, 'the limits are not read for each request');
  limits.bytes = 45n;
  await delay(60);
  t.match((await budget.heaps())[0], { available: 45n }, 'read again, with what was made in it');
  limits.bytes = 10n;
  await t.rejects(admit(46n), beyond(10n), 'a refusal is by fresh figures');
  limits.bytes = 500n;
  (await admit(400n)).settle();
  first.settle();
});

t.test('a file may have no more than RLIMIT_FSIZE', async (t) => {
  const { admit } = roomOf('cpu', 1000n, 50n);
  await t.rejects(admit(51n), { code: 'DEVICE_OUT_OF_MEMORY', metadata: { limit: 'RLIMIT_FSIZE' } });
  (await admit(50n)).settle();
});
