/**
 * Transfers that wait for timelines and signal semaphores: their order, what they refuse, and that a value which
 * never comes delays its own tenant alone.
 */
import { mapFd } from '@vkmemd/proto';
import t from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { assertNoLeaks, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { openToAll, Tenant } from '../support/tenant.js';

const PAGE = 4096n;
const STUCK = 100;
const COPIES = 20;

t.test('a transfer waits, and signals', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const wire = await HandoffWire.open(runtimeDir);
  const control = ControlWire.withToken(runtimeDir, wire.welcome.sessionToken);
  for (const name of ['a', 'b', 'c']) await control.call('CreateSemaphore', { name });
  const point = (name: string, value: bigint) => ({ semaphore: { name }, value });
  const kinds = ['KIND_MAPPABLE'] as const;
  const { allocation } = await control.call('Allocate', { sizeBytes: PAGE, kinds });
  const memory = { id: allocation?.id ?? '' };
  const fill = (pattern: number) => ({ allocation: memory, pattern });
  const steps: string[] = [];
  const note = (step: string) => () => void steps.push(step);
  // Sent in the opposite order of that in which they may run.
  const third = control
    .call('Transfer', { fill: fill(3), wait: [point('b', 1n), point('a', 2n)], signal: [point('c', 5n)] })
    .then(note('third'));
  const second = control
    .call('Transfer', { fill: fill(2), wait: [point('a', 2n)], signal: [point('b', 1n)] })
    .then(note('second'));
  const first = control
    .call('Transfer', { fill: fill(1), wait: [point('a', 1n)], signal: [point('a', 2n)] })
    .then(note('first'));
  await control.call('Transfer', { fill: fill(9) });
  steps.push('without semaphores');
  await control.call('SignalSemaphore', { semaphore: { name: 'a' }, value: 1n });
  await Promise.all([first, second, third]);
  t.equal(steps[0], 'without semaphores', 'the others waited');
  const { fds } = await wire.ask({ claim: { allocation: memory, kinds } });
  const [fd] = fds;
  if (!fd) throw new Error('no fd');
  const mapping = mapFd(fd, { offset: 0n, length: Number(PAGE), access: 'ro' });
  t.equal(new Uint8Array(mapping.buffer)[0], 3, 'the last in the order of the values wrote last');
  mapping.unmap();
  fd.close();
  t.equal((await control.call('GetSemaphore', { semaphore: { name: 'c' } })).value, 5n);

  const eight = Array.from({ length: 9 }, () => point('c', 1n));
  const { semaphore: binary } = await control.call('CreateSemaphore', { type: 'SEMAPHORE_TYPE_BINARY' });
  const of = { id: binary?.id ?? '' };
  const sync = { allocation: memory };
  for (const [request, fault] of [
    [
      { sync, wait: eight },
      { code: 'INVALID_ARGUMENT', metadata: { field: 'wait' } },
    ],
    [
      { sync, signal: eight },
      { code: 'INVALID_ARGUMENT', metadata: { field: 'signal' } },
    ],
    [
      { sync, wait: [{ semaphore: of }] },
      { code: 'INVALID_ARGUMENT', reason: /must not wait for a client/ },
    ],
    [
      { sync, signal: [point('c', 6n), point('c', 7n)] },
      { code: 'INVALID_ARGUMENT', reason: /twice/ },
    ],
    [
      { sync, signal: [point('c', 5n)] },
      { code: 'INVALID_ARGUMENT', reason: /is 5, not below 5/ },
    ],
    [{ sync, signal: [point('c', 0n)] }, { code: 'INVALID_ARGUMENT' }],
    [{ sync, wait: [point('none', 1n)] }, { code: 'NOT_FOUND' }],
    [
      { sync, wait: [{ value: 1n }] },
      { code: 'INVALID_ARGUMENT', metadata: { field: 'semaphore' } },
    ],
    [
      { sync, timeoutMs: 60_001 },
      { code: 'INVALID_ARGUMENT', metadata: { field: 'timeout_ms' } },
    ],
    [{ sync, wait: [point('c', 6n)], timeoutMs: 0 }, { code: 'WAIT_TIMED_OUT' }],
    [{ sync, wait: [point('c', 6n)], timeoutMs: 20 }, { code: 'WAIT_TIMED_OUT' }],
  ] as const) {
    await t.rejects(control.call('Transfer', request), fault, JSON.stringify(Object.keys(request)));
  }
  await control.call('Transfer', { sync, wait: eight.slice(1), signal: [{ semaphore: of }] });
  t.pass('eight waits, and a binary semaphore that is signalled');
  const lost = t.rejects(control.call('Transfer', { sync, wait: [point('c', 6n)] }), { code: 'NOT_FOUND' });
  await control.call('FreeSemaphore', { semaphore: { name: 'c' } });
  await lost;
  for (const name of ['a', 'b']) await control.call('FreeSemaphore', { semaphore: { name } });
  control.close();
  wire.close();
  await assertNoLeaks(t, runtimeDir);
});

t.test('a caller that leaves waits no longer', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const control = new ControlWire(runtimeDir);
  await control.call('CreateSemaphore', { name: 'never' });
  const wire = await HandoffWire.open(runtimeDir);
  wire.send({ waitSemaphore: { semaphore: { name: 'never' }, value: 1n } });
  wire.close();
  const leaving = new ControlWire(runtimeDir);
  const call = t.rejects(leaving.call('WaitSemaphore', { semaphore: { name: 'never' }, value: 1n }));
  leaving.close();
  await call;
  await control.call('FreeSemaphore', { semaphore: { name: 'never' } });
  control.close();
  await assertNoLeaks(t, runtimeDir);
});

t.test(
  'a value that never comes delays its own tenant alone',
  { skip: process.getuid?.() !== 0 && 'needs root' },
  async (t) => {
    const { runtimeDir } = await startDaemon(t, { policy: '[[rule]]\nconnect = true\n' });
    openToAll(runtimeDir);
    const kinds = ['KIND_MAPPABLE'] as const;
    const stuck = [new ControlWire(runtimeDir), new ControlWire(runtimeDir)];
    const [control] = stuck;
    if (!control) throw new Error('no connection');
    await control.call('CreateSemaphore', { name: 'never' });
    await control.call('Allocate', { name: 'memory', sizeBytes: PAGE, kinds });
    const request = {
      fill: { allocation: { name: 'memory' }, pattern: 1 },
      wait: [{ semaphore: { name: 'never' }, value: 1n }],
    };
    let ended = 0;
    const waiting = Array.from({ length: STUCK }, (_, at) =>
      stuck[at % stuck.length]?.call('Transfer', request).finally(() => {
        ended += 1;
      }),
    );
    const other = await Tenant.start(t, runtimeDir, 12345);
    const { message } = await other.ask({ allocate: { sizeBytes: 2n * PAGE, kinds } });
    const allocation = { id: message.allocate?.allocation?.id ?? '' };
    for (let round = 0; round < COPIES; round += 1) {
      await other.call('Transfer', { fill: { allocation, sizeBytes: PAGE, pattern: round } });
      const copy = {
        source: allocation,
        destination: allocation,
        destinationOffsetBytes: PAGE,
        sizeBytes: PAGE,
      };
      await other.call('Transfer', { copy });
    }
    t.equal(ended, 0, `the other tenant's copies were done while ${STUCK} transfers wait`);
    const own = { fill: { allocation: { name: 'memory' }, pattern: 2 } };
    const apart = new ControlWire(runtimeDir);
    await apart.call('Transfer', own);
    apart.close();
    t.equal(ended, 0, 'and so are other transfers of the tenant');
    await control.call('SignalSemaphore', { semaphore: { name: 'never' }, value: 1n });
    await Promise.all(waiting);
    t.equal(ended, STUCK, 'they end once the value is there');
    await other.end();
    await control.call('FreeSemaphore', { semaphore: { name: 'never' } });
    await control.call('FreeAllocation', { allocation: { name: 'memory' } });
    for (const each of stuck) each.close();
    await assertNoLeaks(t, runtimeDir);
  },
);
