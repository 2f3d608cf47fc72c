/**
 * Failures during the recovery of a lost device: it is lost again, cannot be opened, or rejects one of the
 * surviving allocations; clients send requests meanwhile; the daemon is stopped.
 */
import { VkmemError } from '@vkmemd/proto';
import t from 'tap';
import { startDaemon } from '../support/daemon.js';
import { FakeLayer } from '../support/fake-layer.js';
import type { HandoffWire } from '../support/handoff-wire.js';
import {
  allocate,
  claim,
  FakeHost,
  type Granted,
  loseDevice,
  mapped,
  onFake,
  PAGE,
  refusalOf,
  release,
  SIZE,
  stillServes,
  until,
  wireKinds,
} from './support.js';

// Most of the time is spent waiting.
t.jobs = 3;

const mappable = wireKinds('MAPPABLE');
const opaque = wireKinds('OPAQUE_FD');
const lost = 'fail vkQueueSubmit 1 VK_ERROR_DEVICE_LOST';

/** The number of calls that a probe makes: the calls at the start, before the first request. */
const probes = ({ layer }: FakeHost, call: string): number => layer.calls(call).length;

/** Allocates this much NAMED memory, each filled with its own pattern through a mapping. */
async function survivors(wire: HandoffWire, count: number): Promise<Granted[]> {
  const made: Granted[] = [];
  for (let i = 0; i < count; i += 1) {
    const one = await allocate(wire, { sizeBytes: SIZE, kinds: mappable, name: `survivor-${i}` });
    const view = mapped(one);
    new Uint8Array(view.buffer).fill(i + 1);
    view.unmap();
    made.push(one);
  }
  return made;
}

async function intact(host: FakeHost, made: readonly Granted[]): Promise<boolean> {
  for (const [index, { wire, id }] of made.entries()) {
    const bytes = await host.bytesOf(wire, id, SIZE);
    if (!bytes.equals(Buffer.alloc(Number(SIZE), index + 1))) return false;
  }
  return true;
}

t.test('a device that is lost repeatedly recovers each time', { buffered: true }, async (t) => {
  await onFake(t, [], async (host) => {
    const made = await survivors(await host.session(), 2);
    for (let i = 0; i < 3; i += 1) {
      await loseDevice(host);
      await stillServes(host);
      t.ok(await intact(host, made));
    }
    for (const one of made) await release(one);
  });
});

t.test('a device that is lost during its own recovery is opened again', { buffered: true }, async (t) => {
  await onFake(t, [], async (host) => {
    const submits = probes(host, 'vkQueueSubmit');
    const allocations = probes(host, 'vkAllocateMemory');
    const made = await survivors(await host.session(), 3);
    for (const [where, line] of [
      ['the first submission of the probe', 'fail vkQueueSubmit 2 VK_ERROR_DEVICE_LOST'],
      ['its last', `fail vkQueueSubmit ${submits + 1} VK_ERROR_DEVICE_LOST`],
      ['an allocation of the probe', 'fail vkAllocateMemory 1 VK_ERROR_DEVICE_LOST'],
      ['the first surviving allocation', `fail vkAllocateMemory ${allocations + 1} VK_ERROR_DEVICE_LOST`],
      ['the last surviving allocation', `fail vkAllocateMemory ${allocations + 3} VK_ERROR_DEVICE_LOST`],
    ] as const) {
      const before = host.layer.calls('vkCreateDevice').length;
      await loseDevice(host, line);
      await until(where, () => host.layer.calls('vkCreateDevice').length >= before + 2);
      await stillServes(host);
      t.equal(host.layer.calls('vkCreateDevice').length, before + 2, `by ${where}: opened twice`);
      t.ok(await intact(host, made), 'no byte was lost');
    }
    for (const one of made) await release(one);
  });
});

t.test(
  'an allocation that the new device rejects ends, the others survive',
  { buffered: true },
  async (t) => {
    await onFake(t, [], async (host) => {
      const allocations = probes(host, 'vkAllocateMemory');
      const wire = await host.session();
      const [first, second, third] = await survivors(wire, 3);
      if (!first || !second || !third) throw new Error('expected three allocations');
      await loseDevice(host, `fail vkAllocateMemory ${allocations + 2} VK_ERROR_OUT_OF_DEVICE_MEMORY`);
      await stillServes(host);
      await t.rejects(host.fill(second.id, 1), { code: 'DEVICE_LOST' });
      t.match((await host.control.budget()).counts, { allocations: 2, drainingAllocations: 1 });
      t.ok(await intact(host, [first]));
      await host.fill(third.id, 1);
      for (const fd of second.fds) fd.close();
      await wire.ask({ release: { grantId: second.grants[0]?.id ?? 0n } });
      t.match((await host.control.budget()).counts, { drainingAllocations: 0 });
      await release(first);
      await release(third);
    });
  },
);

t.test('a device that cannot be opened is tried until it opens', { buffered: true }, async (t) => {
  await onFake(t, ['budget present'], async (host) => {
    const made = await survivors(await host.session(), 1);
    const failing = [1, 2, 3].map((n) => `fail vkCreateDevice ${n} VK_ERROR_INITIALIZATION_FAILED`);
    const watching = host.control.watchBudget();
    await watching.until(() => true);
    await loseDevice(host, 'budget present', ...failing);
    t.match(
      (await host.control.budget()).heaps[0],
      { source: 'BUDGET_SOURCE_ESTIMATED' },
      'the budget is reported meanwhile',
    );
    t.match(await refusalOf(host.fill(made[0]?.id ?? '', 1)), { code: 'DEVICE_LOST' });
    await stillServes(host);
    t.equal(host.layer.calls('vkCreateDevice').length, 5, 'one at the start, three failures, one success');
    t.match(host.daemon.log(), /VK_ERROR_INITIALIZATION_FAILED.*could not be opened again/);
    t.ok(await intact(host, made));
    for (const one of made) await release(one);
    watching.clear();
    await watching.until(({ heaps }) => heaps[0]?.liveBytes === 0n);
    t.pass('a budget watcher receives further reports');
    watching.cancel();
    await watching.ended;
  });
});

t.test('a daemon that is stopped during recovery exits without an error', { buffered: true }, async (t) => {
  const cases = {
    'between two attempts': 'fail vkCreateDevice * VK_ERROR_INITIALIZATION_FAILED',
    'in one': 'delay vkCreateDevice 1 1000',
  };
  for (const [when, line] of Object.entries(cases)) {
    const layer = new FakeLayer(t, 'budget present');
    const daemon = await startDaemon(t, { env: layer.environment });
    const host = new FakeHost(layer, daemon);
    const made = await survivors(await host.session(), 1);
    const ended = await allocate(await host.session(), { sizeBytes: PAGE, kinds: opaque });
    await loseDevice(host, line);
    if (when === 'between two attempts') {
      await until('three tries', () => layer.calls('vkCreateDevice').length > 3);
    }
    host.close();
    t.strictSame(await daemon.stop(), { code: 0, signal: null }, when);
    t.strictSame(layer.leaks(), []);
    for (const { fds } of [...made, ended]) for (const fd of fds) fd.close();
  }
});

/** Repeats one of each request until it is aborted; each must be served, or refused with DEVICE_LOST. */
async function busy(host: FakeHost, wire: HandoffWire, stop: AbortSignal): Promise<Record<string, number>> {
  const ends: Record<string, number> = {};
  const named = (id: string) => ({ source: { id }, destination: { id } });
  while (!stop.aborted) {
    for (const kinds of [mappable, opaque]) {
      let made: Granted | undefined;
      const steps = [
        async () => {
          made = await allocate(wire, { sizeBytes: SIZE, kinds });
        },
        async () => {
          const retried = await claim(wire, made?.id ?? '', kinds === mappable ? 'MAPPABLE' : 'OPAQUE_FD');
          for (const fd of retried.fds) fd.close();
          await wire.ask({ release: { grantId: retried.grants[0]?.id ?? 0n } });
        },
        () => host.fill(made?.id ?? '', 1),
        () =>
          host.control.call('Transfer', {
            copy: { ...named(made?.id ?? ''), destinationOffsetBytes: PAGE, sizeBytes: PAGE },
          }),
        () => host.control.budget(),
        () => release(made as Granted),
      ];
      for (const step of steps) {
        if (!made && step !== steps[0]) break;
        const end = await step().then(
          () => 'served',
          (failure) => (failure instanceof VkmemError ? failure.code : String(failure)),
        );
        ends[end] = (ends[end] ?? 0) + 1;
      }
      for (const fd of made?.fds ?? []) fd.close();
      for (const { id } of made?.grants ?? []) {
        await wire.ask({ release: { grantId: id } }).catch(() => {});
      }
    }
  }
  return ends;
}

t.test(
  'lost while many requests are in progress: each is answered, and nothing is left',
  { buffered: true },
  async (t) => {
    await onFake(t, [], async (host) => {
      const stop = new AbortController();
      const sessions = await Promise.all(Array.from({ length: 6 }, () => host.session()));
      const all = sessions.map((wire) => busy(host, wire, stop.signal));
      for (const call of ['vkQueueSubmit', 'vkAllocateMemory', 'vkGetMemoryFdKHR', 'vkWaitForFences']) {
        for (const nth of [1, 7]) {
          const before = host.layer.calls('vkCreateDevice').length;
          host.layer.script(`fail ${call} ${nth} VK_ERROR_DEVICE_LOST`, 'delay vkQueueSubmit 3 20');
          await until(call, () => host.layer.calls('vkCreateDevice').length > before);
          await stillServes(host);
        }
      }
      stop.abort();
      for (const ends of await Promise.all(all)) {
        t.strictSame(Object.keys(ends).sort(), ['DEVICE_LOST', 'served'], JSON.stringify(ends));
      }
      host.layer.script(lost);
      await refusalOf(allocate(sessions[0] as HandoffWire, { sizeBytes: PAGE, kinds: opaque }));
      await stillServes(host);
    });
  },
);
