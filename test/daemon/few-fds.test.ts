/**
 * RLIMIT_NOFILE is 64 and the daemon has no privileges: whoever never reads, connects without end, or takes
 * all it can get is told so, and nobody else notices. No call of the daemon ever fails for want of fds.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { errorOf, type OwnedFd, PROTOCOL_VERSION } from '@vkmemd/proto';
import t from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { assertCounts, assertNoLeaks } from '../support/daemon.js';
import { HandoffWire, type Received } from '../support/handoff-wire.js';
import { noOtherUser } from '../support/uid.js';
import { startWitnessed } from '../support/witness.js';

const kinds = ['KIND_MAPPABLE'] as const;
const HELLO = { hello: { protocolVersion: PROTOCOL_VERSION } };
const skip = noOtherUser ?? false;

const closeAll = (fds: Iterable<OwnedFd>) => {
  for (const fd of fds) fd.close();
};

/** Claims, closes what came, and releases. */
async function use(wire: HandoffWire, name: string): Promise<void> {
  const { message, fds } = await wire.ask({ claim: { allocation: { name }, kinds } });
  closeAll(fds);
  await wire.ask({ release: { grantId: message.claim?.grants[0]?.id ?? 0n } });
}

/** Everything that has come and comes until `count` have. */
async function claimMany(wire: HandoffWire, count: number): Promise<Received[]> {
  const all: Received[] = [];
  while (all.length < count) all.push(await wire.next());
  return all;
}

t.test('clients that never read hold up nobody', { skip }, async (t) => {
  const daemon = await startWitnessed(t);
  const { runtimeDir } = daemon;
  const worker = await HandoffWire.open(runtimeDir);
  await worker.ask({ allocate: { sizeBytes: 4096n, kinds, name: 'shared' } });
  const deaf: HandoffWire[] = [];
  for (let i = 0; i < 3; i += 1) {
    const wire = await HandoffWire.open(runtimeDir);
    wire.connection.pause();
    deaf.push(wire);
  }
  const asked = 100;
  for (const wire of deaf) {
    for (let i = 0; i < asked; i += 1) wire.send({ claim: { allocation: { name: 'shared' }, kinds } });
  }
  for (let i = 0; i < 200; i += 1) await use(worker, 'shared');
  t.pass('another client has its memory 200 times');
  const before = daemon.cpuMs();
  const open = daemon.open();
  await sleep(2000);
  t.ok(daemon.cpuMs() - before < 400, `${daemon.cpuMs() - before} ms of processor time in 2 s`);
  t.ok(open < 45, `${open} fds are open: nothing that waits for them has any`);
  for (const wire of deaf) {
    wire.connection.resume();
    for (const { message, fds } of await claimMany(wire, asked)) {
      if (!message.claim || fds.length !== 1) t.fail('an answer is not what was asked for');
      closeAll(fds);
    }
  }
  t.pass('what they asked for is there when they read');
  for (const wire of deaf) wire.close();
  await use(worker, 'shared');
  await worker.ask({ free: { allocation: { name: 'shared' } } });
  worker.close();
  await assertNoLeaks(t, runtimeDir);
  t.strictSame(daemon.failures(), [], 'no call failed for want of fds');
});

/** Connects again and again until there is room. */
async function openWhenThereIsRoom(runtimeDir: string): Promise<HandoffWire> {
  for (;;) {
    const wire = new HandoffWire(runtimeDir);
    wire.send(HELLO);
    const { message } = await wire.next();
    if (message.welcome) return wire;
    await sleep(50);
  }
}

t.test('connections that end with fds unread keep their place until they are read', { skip }, async (t) => {
  const daemon = await startWitnessed(t);
  const { runtimeDir } = daemon;
  const control = new ControlWire(runtimeDir);
  const worker = await HandoffWire.open(runtimeDir);
  await worker.ask({ allocate: { sizeBytes: 4096n, kinds, name: 'shared' } });
  const deaf: HandoffWire[] = [];
  const refused: string[] = [];
  // Each takes what it can get, breaks the protocol and is dropped: it stays with what it has not read.
  for (let i = 0; i < 40; i += 1) {
    const wire = new HandoffWire(runtimeDir);
    wire.send(HELLO);
    const { message } = await wire.next();
    if (message.error) refused.push(errorOf(message.error).code);
    else {
      wire.connection.pause();
      for (let n = 0; n < 30; n += 1) wire.send({ claim: { allocation: { name: 'shared' }, kinds } });
      wire.send({ sequence: 1n, hello: {} });
      deaf.push(wire);
      while ((await control.budget()).counts.sessions > 1) await sleep(1);
    }
  }
  t.ok(deaf.length >= 3 && refused.length >= 20, `${deaf.length} came in, ${refused.length} did not`);
  t.strictSame([...new Set(refused)], ['TOO_MANY_FILES'], 'who finds no place is told so');
  for (let i = 0; i < 50; i += 1) await use(worker, 'shared');
  t.pass('and who was there before works on');
  for (const wire of deaf) {
    wire.connection.resume();
    for (const { fds } of await wire.closed) closeAll(fds);
  }
  const late = await openWhenThereIsRoom(runtimeDir);
  await use(late, 'shared');
  t.pass('once they have read there is room');
  late.close();
  control.close();
  await worker.ask({ free: { allocation: { name: 'shared' } } });
  worker.close();
  await assertNoLeaks(t, runtimeDir);
  t.strictSame(daemon.failures(), [], 'no call failed for want of fds');
});

t.test('whoever takes all it can get leaves the others something', { skip }, async (t) => {
  const daemon = await startWitnessed(t);
  const { runtimeDir } = daemon;
  const control = new ControlWire(runtimeDir);
  await control.budget();
  const wire = await HandoffWire.open(runtimeDir);
  const ids: string[] = [];
  for (let refused = false; !refused; ) {
    try {
      const { message } = await wire.ask({ allocate: { sizeBytes: 4096n, kinds } });
      ids.push(message.allocate?.allocation?.id ?? '');
    } catch (failure) {
      t.match(failure, { code: 'TOO_MANY_FILES', metadata: { whose: 'user' } });
      refused = true;
    }
  }
  t.ok(ids.length >= 8, `${ids.length} allocations`);
  await t.rejects(control.call('Allocate', { sizeBytes: 4096n, kinds, name: 'n' }), {
    code: 'TOO_MANY_FILES',
  });
  await t.rejects(HandoffWire.open(runtimeDir), /no welcome|TOO_MANY_FILES|no file descriptors/);
  const claimed = await wire.ask({ claim: { allocation: { id: ids[0] ?? '' }, kinds } });
  t.equal(claimed.fds.length, 1, 'what it has can be claimed');
  closeAll(claimed.fds);

  const flood = Array.from({ length: 60 }, () => new ControlWire(runtimeDir));
  const answers = await Promise.allSettled(flood.map((one) => one.budget()));
  const codes = new Set(
    answers.map((answer) => (answer.status === 'rejected' ? String(answer.reason.code) : 'served')),
  );
  t.notOk(codes.has('served'), `gRPC connections of the same user: ${[...codes].join(', ')}`);
  t.ok(codes.has('TOO_MANY_FILES'), 'the first of them are told why');
  for (const one of flood) one.close();
  await wire.ask({ free: { allocation: { id: ids.pop() ?? '' } } });
  // What the flood's sockets took is given back by other threads, in their time.
  const second = () =>
    wire.ask({ allocate: { sizeBytes: 4096n, kinds } }).then(
      () => true,
      () => false,
    );
  let had = await second();
  for (const end = Date.now() + 20_000; !had && Date.now() < end; had = await second()) await sleep(50);
  t.ok(had, 'what was given back can be had again');
  wire.close();
  // By the connection that is there: the user gets no other before the session has ended.
  for (let left = 1; left > 0; await sleep(20)) left = (await control.budget()).counts.allocations;
  control.close();
  await assertCounts(t, runtimeDir, {});
  t.strictSame(daemon.failures(), [], 'no call failed for want of fds');
});

t.test('a flood of connections', { skip }, async (t) => {
  const daemon = await startWitnessed(t, '[limits]\nhandshake_ms = 500\n');
  const { runtimeDir } = daemon;
  const worker = await HandoffWire.open(runtimeDir);
  await worker.ask({ allocate: { sizeBytes: 4096n, kinds, name: 'shared' } });
  const silent = Array.from({ length: 300 }, () => new HandoffWire(runtimeDir));
  for (let i = 0; i < 50; i += 1) await use(worker, 'shared');
  t.pass('who was there before works on');
  const ends = await Promise.all(silent.map(({ closed }) => closed));
  const codes = ends.map(([last]) => (last?.message.error ? errorOf(last.message.error).code : 'nothing'));
  const count = (code: string) => codes.filter((one) => one === code).length;
  t.equal(count('TOO_MANY_FILES') + count('PROTOCOL_ERROR'), 300, 'each is told why it is hung up on');
  t.ok(
    count('PROTOCOL_ERROR') >= 3,
    `${count('PROTOCOL_ERROR')} had a place until the time for Hello was over`,
  );
  await worker.ask({ free: { allocation: { name: 'shared' } } });
  worker.close();
  await assertNoLeaks(t, runtimeDir);
  t.strictSame(daemon.failures(), [], 'no call failed for want of fds');
});
