/**
 * Calls by way of the front: large requests and answers in parts, a reader that does not read, calls that are
 * cancelled, and the end of the daemon.
 */
import { once } from 'node:events';
import { closeAll, encode, type ServiceName, serviceDefinition } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { startDaemon as startHere } from 'vkmemd';
import { ControlWire } from '../support/control-wire.js';
import {
  assertNoLeaks,
  driverUnderTest,
  startDaemon,
  startInProcess,
  temporaryFolder,
} from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { rawCall, rawSession } from '../support/raw-http2.js';
import { assertNothingLeft } from './leftovers.js';
import { Play } from './played.js';
import { Relay } from './relay.js';
import { sleep, until } from './support.js';

const KIB = 1024;
const CREDIT = 8;
/** Calls of a connection at a time. */
const MAX_OF_CALLER = 64;
const kinds = ['KIND_MAPPABLE'] as const;

t.setTimeout(120_000);

async function allocate(wire: HandoffWire, count = 1, suffix?: string): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const name = suffix === undefined ? '' : `${index}-${suffix}`;
    const { message, fds } = await wire.ask({ allocate: { sizeBytes: 4096n, kinds, name } });
    closeAll(fds);
    ids.push(message.allocate?.allocation?.id ?? '');
  }
  return ids;
}

async function free(wire: HandoffWire, ids: readonly string[]): Promise<void> {
  for (const id of ids) await wire.ask({ free: { allocation: { id } } });
}

/** A request of exactly this many bytes: a field that is unknown, and after it the request. */
function padded(request: Buffer, bytes: number): Buffer {
  const length = bytes - request.length - 5;
  // Field 127, of bytes; the length as a varint of three bytes.
  const head = [0xfa, 0x07, (length & 0x7f) | 0x80, ((length >> 7) & 0x7f) | 0x80, length >> 14];
  return Buffer.concat([Buffer.from(head), Buffer.alloc(length), request]);
}

t.test('a watch sends its headers at once, and misses no event after them', async (t) => {
  const { runtimeDir } = await startInProcess(t);
  const wire = await HandoffWire.open(runtimeDir);
  const session = rawSession(runtimeDir, 64 * KIB);
  for (const watch of ['MemoryService.WatchAllocations', 'DeviceService.WatchBudget']) {
    const [service = '', method = ''] = watch.split('.');
    const definition = serviceDefinition(service as ServiceName)[method];
    const stream = rawCall(session, definition?.path);
    const [headers] = await once(stream, 'response');
    t.match(headers, { ':status': 200, 'content-type': /^application\/grpc/ }, watch);
    t.notOk(headers['grpc-status'], 'no trailers');
    const received: Buffer[] = [];
    stream.on('data', (data: Buffer) => received.push(data));
    const events = () => Buffer.concat(received).length;
    if (method === 'WatchAllocations') {
      await sleep(50);
      t.equal(events(), 0, 'without an event');
    }
    const ids = await allocate(wire);
    await until('an event', () => events() > 5);
    t.ok(
      Buffer.concat(received).includes(ids[0] ?? '') || method === 'WatchBudget',
      'that of the allocation',
    );
    await free(wire, ids);
    stream.close(8);
    await once(stream, 'close');
  }
  const token = { 'vkmem-session': 'x'.repeat(40) };
  const refused = session.request({
    ...{ ':method': 'POST', ':path': serviceDefinition('MemoryService').WatchAllocations?.path },
    ...{ 'content-type': 'application/grpc', te: 'trailers', ...token },
  });
  refused.end(Buffer.alloc(5));
  const [headers] = await once(refused, 'response');
  t.equal(headers['grpc-status'], '16', 'a refusal is the only answer');
  refused.resume();
  await once(refused, 'close');
  session.close();
  wire.close();
});

t.test('requests in parts arrive whole, and those above the limit do not', async (t) => {
  const { runtimeDir } = await startInProcess(t);
  const wire = await HandoffWire.open(runtimeDir);
  const control = new ControlWire(runtimeDir);
  const [id = ''] = await allocate(wire);
  const get = Buffer.from(encode('GetAllocationRequest', { allocation: { id } }));
  for (const bytes of [60 * KIB, 60 * KIB + 1, 62_000, 64 * KIB - 1, 64 * KIB]) {
    const answer = (await control.callRaw('GetAllocation', padded(get, bytes))) as {
      allocation: { id: string };
    };
    t.equal(answer.allocation.id, id, `${bytes} bytes`);
  }
  for (const bytes of [64 * KIB + 1, 120 * KIB, 120 * KIB + 1, 256 * KIB, 1000 * KIB]) {
    const message = /larger than max/i;
    await t.rejects(control.callRaw('GetAllocation', padded(get, bytes)), {
      code: 'PROTOCOL_ERROR',
      message,
    });
  }
  t.ok(await control.budget(), 'the connection serves further calls');
  control.close();
  await free(wire, [id]);
  wire.close();
  await assertNothingLeft(t, runtimeDir);
});

t.test('answers in parts arrive whole', async (t) => {
  const { runtimeDir } = await startInProcess(t);
  const wire = await HandoffWire.open(runtimeDir);
  const control = new ControlWire(runtimeDir);
  const ids = await allocate(wire, 500, 'x'.repeat(120));
  const page = { pageSize: 500 };
  const lists = await Promise.all([1, 2, 3].map(() => control.call('ListAllocations', page)));
  const bytes = encode('ListAllocationsResponse', lists[0] ?? {}).length;
  t.ok(bytes > 100 * KIB, `${bytes} bytes`);
  for (const { allocations } of lists) t.strictSame(new Set(allocations.map(({ id }) => id)), new Set(ids));
  control.close();
  await free(wire, ids);
  wire.close();
  await assertNothingLeft(t, runtimeDir);
});

t.test('the core sends 8 answers of a watch without credit', async (t) => {
  const play = await Play.begin(t);
  const { front } = play;
  const wire = await HandoffWire.open(play.runtimeDir);
  const { number } = await play.connect();
  const watch = front.call(number, 'WatchAllocations');
  t.equal(await front.outcome(front.call(number, 'GetBudget')), 'served', 'the watch has begun');
  for (let round = 0; round < 20; round += 1) await free(wire, await allocate(wire));
  t.equal(await front.outcome(front.call(number, 'GetBudget')), 'served');
  t.equal(front.answersOf(watch).length, CREDIT);
  front.send({ id: watch, credit: { answers: 2 } });
  await until('two more', () => front.answersOf(watch).length >= CREDIT + 2);
  t.equal(await front.outcome(front.call(number, 'GetBudget')), 'served');
  t.equal(front.answersOf(watch).length, CREDIT + 2);
  wire.close();
  await play.end();
});

t.test('a reader that does not read stops at the front', async (t) => {
  process.env.VK_DRIVER_FILES ??= driverUnderTest();
  const relay = new Relay();
  const runtimeDir = temporaryFolder(t);
  const daemon = await startHere({ runtimeDir, front: relay.start });
  const wire = await HandoffWire.open(runtimeDir);
  const session = rawSession(runtimeDir, 0);
  const stream = session.request({
    ':method': 'POST',
    ':path': '/vkmem.v1.MemoryService/WatchAllocations',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.on('error', () => {});
  stream.end(Buffer.alloc(5));
  stream.pause();
  await until('the watch has begun', async () => {
    await free(wire, await allocate(wire));
    return relay.answers > 0;
  });
  for (let round = 0; round < 100; round += 1) await free(wire, await allocate(wire));
  await sleep(100);
  // Some more are in the front's own buffers, where gRPC takes them before the connection does.
  t.ok(relay.answers <= 4 * CREDIT, `of more than 200 events the core has sent ${relay.answers}`);
  session.destroy();
  wire.close();
  await assertNothingLeft(t, runtimeDir);
  await daemon[Symbol.asyncDispose]();
});

t.test('cancelled calls free their place', async (t) => {
  const play = await Play.begin(t);
  const { front } = play;
  const { number } = await play.connect();
  for (let round = 0; round < 3; round += 1) {
    const ids = Array.from({ length: MAX_OF_CALLER }, () => front.call(number, 'WatchBudget'));
    await until('all have begun', () => ids.every((id) => front.answersOf(id).length > 0));
    t.equal(
      await front.outcome(front.call(number, 'GetBudget')),
      'UNAVAILABLE',
      'the connection has no more',
    );
    for (const id of ids) front.send({ id, cancel: {} });
    await until('a place is free', async () => {
      return (await front.outcome(front.call(number, 'GetBudget'))) === 'served';
    });
  }
  await play.end();
});

t.test('so do those that gRPC cancels', async (t) => {
  const { runtimeDir } = await startInProcess(t);
  const control = new ControlWire(runtimeDir);
  // Fewer than half of the calls of a connection: Node.js counts streams that were cancelled for a moment.
  const count = MAX_OF_CALLER / 2 - 2;
  for (let round = 0; round < 6; round += 1) {
    const watches = Array.from({ length: count }, () => control.watchBudget());
    await Promise.all(watches.map((watching) => watching.until(() => true)));
    for (const watching of watches) watching.cancel();
    await Promise.all(watches.map(({ ended }) => ended));
    t.ok(await control.budget(), `round ${round}`);
  }
  control.close();
  await assertNothingLeft(t, runtimeDir);
});

/** Begins fills that take a while. */
async function filling(t: Test, control: ControlWire): Promise<{ id: string; done: Promise<unknown[]> }> {
  const { allocation } = await control.call('Allocate', { sizeBytes: 128n << 20n, kinds, name: 'filled' });
  const id = allocation?.id ?? '';
  const fill = { fill: { allocation: { id }, pattern: 5 } };
  const done = Promise.all([1, 2, 3].map(() => control.call('Transfer', fill)));
  done.catch((failure) => t.fail(failure));
  return { id, done };
}

t.test('a stopping daemon ends streams, and finishes calls', async (t) => {
  const daemon = await startDaemon(t);
  const { runtimeDir } = daemon;
  const control = new ControlWire(runtimeDir);
  const watches = [control.watchBudget(), control.watchAllocations({ includeExisting: true })];
  const { done } = await filling(t, control);
  await Promise.all(watches.map((watching) => watching.until(() => true)));
  t.ok(await control.budget(), 'what was sent before has arrived');
  const stopped = daemon.stop();
  for (const { ended } of watches) t.match(await ended, { code: 'UNAVAILABLE', message: /stopping/ });
  t.equal((await done).length, 3, 'the calls are answered');
  t.same(await stopped, { code: 0, signal: null });
  control.close();
});

t.test('without calls, it stops at once', async (t) => {
  const daemon = await startDaemon(t);
  const control = new ControlWire(daemon.runtimeDir);
  await control.budget();
  await assertNoLeaks(t, daemon.runtimeDir);
  const began = performance.now();
  t.same(await daemon.stop(), { code: 0, signal: null });
  t.ok(performance.now() - began < 4000, 'an idle connection is not waited for');
  control.close();
});
