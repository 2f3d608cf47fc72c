/**
 * One client does not take resources from another: connections that break off, cancelled calls, changing
 * budgets.
 */
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { VkmemError } from '@vkmemd/proto';
import t from 'tap';
import { FairScheduler } from 'vkmemd/dist/limits/fair-scheduler.js';
import { Budget } from 'vkmemd/dist/memory/accounting/budget.js';
import { Ledger } from 'vkmemd/dist/memory/accounting/ledger.js';
import { tenantOfUid as tenant } from 'vkmemd/dist/policy/tenant.js';
import { ControlWire } from '../support/control-wire.js';
import { startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { payer } from '../support/quotas.js';

const kinds = ['KIND_MAPPABLE'] as const;

t.test('connections that break off in HTTP/2, or never use it, leave no fd open', async (t) => {
  const { runtimeDir, pid } = await startDaemon(t);
  const openFds = () => readdirSync(`/proc/${pid}/fd`).length;
  const before = openFds();
  const path = join(runtimeDir, 'control.sock');
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
  for (let i = 0; i < 10; i += 1) {
    const socket = connect(path);
    socket.on('error', () => {});
    if (i % 2 === 0) socket.write(Buffer.concat([preface, settings, Buffer.alloc(50, 0xff)]));
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (i % 2 === 0) socket.destroy();
    else t.teardown(() => socket.destroy());
  }
  for (const end = Date.now() + 20_000; openFds() > before && Date.now() < end; ) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  t.ok(openFds() <= before, `${openFds()} fds, ${before} before`);
});

t.test('cancelled transfers do not delay other clients', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const wire = await HandoffWire.open(runtimeDir);
  const control = new ControlWire(runtimeDir);
  await control.call('Allocate', { sizeBytes: 64n << 20n, kinds, name: 'big' });
  const fill = { allocation: { name: 'big' }, pattern: 1 };
  const refused: unknown[] = [];
  const calls = Array.from({ length: 400 }, () => {
    const call = control.call('Transfer', { fill });
    return call.catch((failure) => refused.push(failure));
  });
  const { message, fds } = await wire.ask({ allocate: { sizeBytes: 4096n, kinds, grantKinds: kinds } });
  t.ok(message.allocate, 'another client is served meanwhile');
  for (const fd of fds) fd.close();
  control.close();
  await Promise.all(calls);
  t.ok(refused.length > 0, `${refused.length} of ${calls.length} were cancelled or refused`);
  const later = new ControlWire(runtimeDir);
  await later.call('Transfer', { fill });
  await later.call('FreeAllocation', { allocation: { name: 'big' } });
  later.close();
  wire.close();
});

t.test('a cancelled Allocate leaves no allocation', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  for (let i = 0; i < 10; i += 1) {
    const control = new ControlWire(runtimeDir);
    const pending = control.call('Allocate', { sizeBytes: 128n << 20n, kinds, name: `cut-${i}` });
    setTimeout(() => control.close(), 5 + i);
    await pending.then(
      async () => {
        const retried = new ControlWire(runtimeDir);
        await retried.call('FreeAllocation', { allocation: { name: `cut-${i}` } });
        retried.close();
      },
      () => t.pass('the call was cancelled'),
    );
  }
});

t.test('the scheduler serves users in turn', async (t) => {
  const turns = new FairScheduler({ atOnce: 1, atOnceOfUser: 1, atOnceOfParty: 1, waitingOfParty: 3 });
  const order: string[] = [];
  let open: () => void = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const piece = (name: string) => async () => {
    await gate;
    order.push(name);
  };
  const first = turns.run({ tenant: tenant(1) }, piece('a1'));
  const rest = ['a2', 'a3', 'a4'].map((name) => turns.run({ tenant: tenant(1) }, piece(name)));
  const other = turns.run({ tenant: tenant(2) }, piece('b1'));
  await t.rejects(
    turns.run({ tenant: tenant(1) }, piece('a5')),
    { code: 'UNAVAILABLE' },
    'the number of waiting requests of one user is limited',
  );
  open();
  await Promise.all([first, ...rest, other]);
  t.strictSame(order, ['a1', 'a2', 'b1', 'a3', 'a4']);
  const failing = turns.run({ tenant: tenant(1) }, () => Promise.reject(new VkmemError('DEVICE_LOST')));
  await t.rejects(failing, { code: 'DEVICE_LOST' });
  await turns.run({ tenant: tenant(1) }, piece('last'));
  t.equal(order.at(-1), 'last', 'a failed task frees its turn');
});

t.test('the number of concurrent tasks of one session is limited', async (t) => {
  const turns = new FairScheduler({ atOnce: 3, atOnceOfUser: 3, atOnceOfParty: 2, waitingOfParty: 9 });
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const piece = (name: string) => () => {
    begun.push(name);
    return new Promise<void>((resolve) => ends.set(name, resolve));
  };
  const all = ['a1', 'a2', 'a3', 'b1'].map((name) =>
    turns.run({ tenant: tenant(1), session: BigInt(name.charCodeAt(0)) }, piece(name)),
  );
  await Promise.resolve();
  t.strictSame(
    begun,
    ['a1', 'a2', 'b1'],
    'the third task of the first session waits although a turn is free',
  );
  ends.get('b1')?.();
  await all[3];
  t.strictSame(begun, ['a1', 'a2', 'b1'], 'it waits until a task of its own session ends');
  ends.get('a1')?.();
  await all[0];
  await new Promise((resolve) => setImmediate(resolve));
  t.strictSame(begun, ['a1', 'a2', 'b1', 'a3']);
  for (const name of ['a2', 'a3']) ends.get(name)?.();
  await Promise.all(all);
});

t.test(
  'the number of concurrent tasks of one user is limited, whatever the number of sessions',
  async (t) => {
    const turns = new FairScheduler({ atOnce: 3, atOnceOfUser: 2, atOnceOfParty: 2, waitingOfParty: 9 });
    const begun: string[] = [];
    const ends: (() => void)[] = [];
    const piece = (name: string) => () => {
      begun.push(name);
      return new Promise<void>((resolve) => ends.push(resolve));
    };
    const mine = [1n, 2n, 3n].map((session) =>
      turns.run({ tenant: tenant(1), session }, piece(`mine ${session}`)),
    );
    const other = turns.run({ tenant: tenant(2), session: 4n }, piece('other'));
    await Promise.resolve();
    t.strictSame(begun, ['mine 1', 'mine 2', 'other']);
    ends[2]?.();
    await other;
    t.equal(begun.length, 3, 'the free turn is not given to another session of the same user');
    for (const end of ends) end();
    await Promise.all(mine.slice(0, 2));
    await new Promise((resolve) => setImmediate(resolve));
    for (const end of ends) end();
    await Promise.all(mine);
    t.equal(begun.at(-1), 'mine 3');
  },
);

t.test('an outdated budget sample does not admit the same bytes twice', async (t) => {
  const ledger = new Ledger(1);
  const asked: ((sample: { budget: bigint; usage: bigint }[]) => void)[] = [];
  const source = {
    info: { heaps: [{ size: 100n }] },
    memoryBudget: () => new Promise<{ budget: bigint; usage: bigint }[]>((resolve) => asked.push(resolve)),
  };
  const budget = new Budget(
    source,
    ledger,
    { elevated: 80, critical: 95 },
    { fault: (what) => t.fail(what) },
  );
  const sample = [{ budget: 80n, usage: 40n }];
  const first = budget.admit(30n, 0, payer(ledger, 1));
  asked.shift()?.(sample);
  const charge = await first;
  const second = budget.admit(30n, 0, payer(ledger, 1));
  charge.commit();
  asked.shift()?.(sample);
  await t.rejects(second, { code: 'BUDGET_EXCEEDED' }, 'the sample does not include the first charge');
  const third = budget.admit(11n, 0, payer(ledger, 1));
  asked.shift()?.([{ budget: 80n, usage: 70n }]);
  await t.rejects(third, { code: 'BUDGET_EXCEEDED' });
  const fourth = budget.admit(10n, 0, payer(ledger, 1));
  asked.shift()?.([{ budget: 80n, usage: 70n }]);
  (await fourth).settle();
  charge.settle();
  t.ok(ledger.empty);
});
