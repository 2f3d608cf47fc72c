/**
 * A driver that is slow for one session's requests: no other session waits. The order of the answers is
 * compared, not their time.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Draft } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { assertCounts, assertNoLeaks, plainEnvironment, plainNode, startDaemon } from '../support/daemon.js';
import { FakeLayer } from '../support/fake-layer.js';
import { HandoffWire, type Received } from '../support/handoff-wire.js';
import { allocate, claim, type FakeHost, mapped, onFake, PAGE, release, SIZE, wireKinds } from './support.js';

// Most of the time is spent waiting.
t.jobs = 4;

const mappable = wireKinds('MAPPABLE');
const opaque = wireKinds('OPAQUE_FD');

/** Long enough for a sent request to reach the driver, even on a busy machine. */
const begun = () => new Promise((resolve) => setTimeout(resolve, 300));

/** Every request that another session may send, once. */
async function everything(host: FakeHost, wire: HandoffWire): Promise<void> {
  const made = await allocate(wire, { sizeBytes: SIZE, kinds: mappable, name: 'prompt' });
  const second = await claim(wire, made.id, 'MAPPABLE');
  for (const fd of second.fds) fd.close();
  await host.fill(made.id, 0x42424242);
  const view = mapped(made);
  if (Buffer.from(view.buffer)[0] !== 0x42) throw new Error('the fill is not visible');
  view.unmap();
  const { control } = host;
  await control.call('GetAllocation', { allocation: { id: made.id } });
  await control.call('ListAllocations', {});
  await control.call('ListDevices', {});
  await control.budget();
  const watching = control.watchBudget();
  await watching.until(() => true);
  watching.cancel();
  await watching.ended;
  await release(made);
  await release(await allocate(wire, { sizeBytes: SIZE, kinds: opaque }));
}

/** Sends slow requests, then every other request, which must be answered before any slow one. */
async function meanwhile(
  t: Test,
  host: FakeHost,
  call: string,
  wire: HandoffWire,
  requests: readonly Draft<'ClientMessage'>[],
): Promise<Received[]> {
  const other = await host.session();
  await everything(host, other);
  host.layer.script(`delay ${call} * 2000`);
  for (const request of requests) wire.send(request);
  await begun();
  // A call in progress keeps its delay; all other calls, and the rest of the requests, have none.
  host.layer.script();
  const answers: Received[] = [];
  const all = (async () => {
    while (answers.length < requests.length) answers.push(await wire.next());
  })();
  await everything(host, other);
  t.equal(answers.length, 0, 'all were answered before the first slow request');
  await all;
  return answers;
}

t.test('a slow allocation does not delay other sessions', { buffered: true }, async (t) => {
  await onFake(t, [], async (host) => {
    const wire = await host.session();
    const request = { allocate: { sizeBytes: SIZE, kinds: mappable, grantKinds: mappable } };
    const [answer] = await meanwhile(t, host, 'vkAllocateMemory', wire, [request]);
    t.ok(answer?.message.allocate, 'it is served');
    for (const fd of answer?.fds ?? []) fd.close();
    wire.close();
  });
});

t.test('a slow buffer creation does not delay other sessions', { buffered: true }, async (t) => {
  await onFake(t, [], async (host) => {
    const wire = await host.session();
    const request = { allocate: { sizeBytes: SIZE, kinds: opaque, grantKinds: opaque } };
    const [answer] = await meanwhile(t, host, 'vkCreateBuffer', wire, [request]);
    t.ok(answer?.message.allocate, 'it is served');
    for (const fd of answer?.fds ?? []) fd.close();
    wire.close();
  });
});

t.test('32 pipelined slow allocations do not delay other sessions', { buffered: true }, async (t) => {
  await onFake(t, [], async (host) => {
    const wire = await host.session();
    const request = { allocate: { sizeBytes: PAGE, kinds: opaque, grantKinds: opaque } };
    const slow = Array.from({ length: 32 }, () => request);
    const answers = await meanwhile(t, host, 'vkAllocateMemory', wire, slow);
    t.ok(
      answers.every(({ message }) => message.allocate),
      'all are served',
    );
    for (const { fds } of answers) for (const fd of fds) fd.close();
    wire.close();
  });
});

t.test('claims with slow exports do not delay other sessions', { buffered: true }, async (t) => {
  await onFake(t, [], async (host) => {
    const wire = await host.session();
    const made = await allocate(wire, { sizeBytes: PAGE, kinds: opaque });
    const request = { claim: { allocation: { id: made.id }, kinds: opaque } };
    const slow = Array.from({ length: 32 }, () => request);
    const answers = await meanwhile(t, host, 'vkGetMemoryFdKHR', wire, slow);
    t.ok(
      answers.every(({ message }) => message.claim),
      'all are served',
    );
    for (const { fds } of [made, ...answers]) for (const fd of fds) fd.close();
    wire.close();
  });
});

t.test('slow frees do not delay other sessions', { buffered: true }, async (t) => {
  await onFake(t, [], async (host) => {
    const wire = await host.session();
    const slow: Draft<'ClientMessage'>[] = [];
    for (let i = 0; i < 32; i += 1) {
      const { message } = await wire.ask({ allocate: { sizeBytes: PAGE, kinds: mappable } });
      slow.push({ free: { allocation: { id: message.allocate?.allocation?.id ?? '' } } });
    }
    const answers = await meanwhile(t, host, 'vkFreeMemory', wire, slow);
    t.ok(
      answers.every(({ message }) => message.free?.freed),
      'all are freed',
    );
  });
});

t.test('a slow queue does not delay allocations that do not use it', { buffered: true }, async (t) => {
  await onFake(t, [], async (host) => {
    const slow = await host.session();
    const other = await host.session();
    host.layer.script('delay vkQueueSubmit 1 1500');
    let answered = false;
    const answer = allocate(slow, { sizeBytes: SIZE, kinds: opaque }).finally(() => {
      answered = true;
    });
    await begun();
    for (let i = 0; i < 20; i += 1) {
      await release(await allocate(other, { sizeBytes: SIZE, kinds: mappable }));
      await host.control.budget();
    }
    t.notOk(answered, 'all were served before it');
    await release(await answer);
  });
});

/** A client that has sent an Allocate and waits. */
async function clientThatAllocates({ runtimeDir }: FakeHost): Promise<ChildProcess> {
  const program = fileURLToPath(new URL('../support/stepwise-client.js', import.meta.url));
  const child = spawn(...plainNode([program, runtimeDir, 'allocate-sent']), {
    env: plainEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  return child;
}

t.test('a client that is killed during its slow allocation leaves nothing', { buffered: true }, async (t) => {
  await onFake(t, [], async (host) => {
    host.layer.script('delay vkAllocateMemory 1 1000');
    const client = await clientThatAllocates(host);
    await begun();
    client.kill('SIGKILL');
    await new Promise((resolve) => client.once('close', resolve));
    const { heaps } = await host.control.budget();
    t.equal(heaps[0]?.reservedBytes, SIZE, 'it is still in progress');
    await assertCounts(t, host.runtimeDir, {});
    await assertNoLeaks(t, host.runtimeDir);
    const wire = await host.session();
    await release(await allocate(wire, { sizeBytes: SIZE, kinds: mappable }));
  });
});

t.test('a daemon that is stopped during a slow allocation answers first', { buffered: true }, async (t) => {
  const layer = new FakeLayer(t);
  const daemon = await startDaemon(t, { env: layer.environment });
  const wire = await HandoffWire.open(daemon.runtimeDir);
  layer.script('delay vkAllocateMemory 1 1000');
  wire.send({ allocate: { sizeBytes: SIZE, kinds: mappable } });
  await begun();
  const stopped = daemon.stop();
  t.ok((await wire.next()).message.allocate, 'the request is served');
  t.match((await wire.next()).message.error, { message: /stopping/ }, 'then the daemon reports its stop');
  t.strictSame(await stopped, { code: 0, signal: null });
  t.strictSame(layer.leaks(), []);
  wire.close();
});
