/**
 * RLIMIT_NOFILE is 64 and the daemon has no privileges. A client that never reads, connects without end or
 * takes all that it can get is refused with an error, and other clients are not affected. No call of the
 * daemon fails for lack of fds.
 */
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CONTROL_SOCKET, errorOf, type OwnedFd, PROTOCOL_VERSION } from '@vkmemd/proto';
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

/** Claims, closes the received fds, and releases. */
async function use(wire: HandoffWire, name: string): Promise<void> {
  const { message, fds } = await wire.ask({ claim: { allocation: { name }, kinds } });
  closeAll(fds);
  await wire.ask({ release: { grantId: message.claim?.grants[0]?.id ?? 0n } });
}

/** Reads until `count` messages have arrived. */
async function claimMany(wire: HandoffWire, count: number): Promise<Received[]> {
  const all: Received[] = [];
  while (all.length < count) all.push(await wire.next());
  return all;
}

t.test('a daemon that has fewer fds than its policy needs warns at its start', { skip }, async (t) => {
  const warned = async (policy = '') => {
    const daemon = await startWitnessed(t, policy);
    const line =
      daemon
        .log()
        .split('\n')
        .find((each) => each.includes('RLIMIT_NOFILE')) ?? '{}';
    return JSON.parse(line);
  };
  t.match(await warned('[limits]\nsessions = 9999\n'), {
    level: 40,
    policy: 9999,
    needed: 40_960,
    msg: 'RLIMIT_NOFILE allows fewer sessions than the policy: set it (LimitNOFILE=) to 40960',
  });
  const enough = { level: 30, fds: Number, sessions: Number, allocations: Number, needed: undefined };
  t.match(await warned('[limits]\nsessions = 1\n'), enough, 'a policy that needs no more');
  t.match(await warned(), enough, 'a policy that does not set it');
});

t.test('clients that never read do not delay others', { skip }, async (t) => {
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
  t.pass('another client was served 200 times');
  const before = daemon.cpuMs();
  const open = daemon.open();
  await sleep(2000);
  t.ok(daemon.cpuMs() - before < 400, `${daemon.cpuMs() - before} ms of processor time in 2 s`);
  t.ok(open < 45, `${open} fds are open: queued answers hold none`);
  for (const wire of deaf) {
    wire.connection.resume();
    for (const { message, fds } of await claimMany(wire, asked)) {
      if (!message.claim || fds.length !== 1) t.fail('an answer differs from its request');
      closeAll(fds);
    }
  }
  t.pass('the answers arrive when the clients read');
  for (const wire of deaf) wire.close();
  await use(worker, 'shared');
  await worker.ask({ free: { allocation: { name: 'shared' } } });
  worker.close();
  await assertNoLeaks(t, runtimeDir);
  t.strictSame(daemon.failures(), [], 'no call failed for lack of fds');
});

/** Connects again and again until it is admitted. */
async function openWhenThereIsRoom(runtimeDir: string): Promise<HandoffWire> {
  for (;;) {
    const wire = new HandoffWire(runtimeDir);
    wire.send(HELLO);
    const { message } = await wire.next();
    if (message.welcome) return wire;
    await sleep(50);
  }
}

t.test('a connection that ends with unread fds keeps its place until they are read', { skip }, async (t) => {
  const daemon = await startWitnessed(t);
  const { runtimeDir } = daemon;
  const control = new ControlWire(runtimeDir);
  const worker = await HandoffWire.open(runtimeDir);
  await worker.ask({ allocate: { sizeBytes: 4096n, kinds, name: 'shared' } });
  const deaf: HandoffWire[] = [];
  const refused: string[] = [];
  // Each claims as much as it can, then breaks the protocol and is dropped; its unread fds keep the
  // connection's place.
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
  t.ok(
    deaf.length >= 3 && refused.length >= 20,
    `${deaf.length} were admitted, ${refused.length} were refused`,
  );
  t.strictSame([...new Set(refused)], ['TOO_MANY_FILES'], 'a refused connection receives TOO_MANY_FILES');
  for (let i = 0; i < 50; i += 1) await use(worker, 'shared');
  t.pass('a client that was connected before is still served');
  for (const wire of deaf) {
    wire.connection.resume();
    for (const { fds } of await wire.closed) closeAll(fds);
  }
  const late = await openWhenThereIsRoom(runtimeDir);
  await use(late, 'shared');
  t.pass('once the fds have been read, a new client is admitted');
  late.close();
  control.close();
  await worker.ask({ free: { allocation: { name: 'shared' } } });
  worker.close();
  await assertNoLeaks(t, runtimeDir);
  t.strictSame(daemon.failures(), [], 'no call failed for lack of fds');
});

t.test('a client that allocates until it is refused leaves fds for others', { skip }, async (t) => {
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
  await t.rejects(HandoffWire.open(runtimeDir), /no welcome|TOO_MANY_FILES|No file descriptors/);
  const claimed = await wire.ask({ claim: { allocation: { id: ids[0] ?? '' }, kinds } });
  t.equal(claimed.fds.length, 1, 'its allocations can be claimed');
  closeAll(claimed.fds);

  const flood = Array.from({ length: 60 }, () => new ControlWire(runtimeDir));
  const answers = await Promise.allSettled(flood.map((one) => one.budget()));
  const codes = new Set(
    answers.map((answer) => (answer.status === 'rejected' ? String(answer.reason.code) : 'served')),
  );
  t.notOk(codes.has('served'), `gRPC connections of the same user: ${[...codes].join(', ')}`);
  t.ok(codes.has('TOO_MANY_FILES'), 'the first of them receive the reason');
  for (const one of flood) one.close();
  await wire.ask({ free: { allocation: { id: ids.pop() ?? '' } } });
  // Other threads close the flood's sockets, with a delay.
  const second = () =>
    wire.ask({ allocate: { sizeBytes: 4096n, kinds } }).then(
      () => true,
      () => false,
    );
  let had = await second();
  for (const end = Date.now() + 20_000; !had && Date.now() < end; had = await second()) await sleep(50);
  t.ok(had, 'the released fds can be used again');
  wire.close();
  // Polls through the open connection: the user gets no new one before the session has ended.
  for (let left = 1; left > 0; await sleep(20)) left = (await control.budget()).counts.allocations;
  control.close();
  await assertCounts(t, runtimeDir, {});
  t.strictSame(daemon.failures(), [], 'no call failed for lack of fds');
});

t.test('refused control connections that send nothing have a few fds', { skip }, async (t) => {
  const limits = '[limits]\ncontrol_connections_per_user = 4\nhandshake_ms = 60000\n';
  const daemon = await startWitnessed(t, `${limits}[[rule]]\nuid = 0\noperator = false\n`);
  const worker = await HandoffWire.open(daemon.runtimeDir);
  const before = daemon.open();
  const sockets = Array.from({ length: 60 }, () => connect(join(daemon.runtimeDir, CONTROL_SOCKET)));
  let [closed, answered] = [0, 0];
  for (const socket of sockets) {
    socket.on('error', () => {}).on('data', () => (answered += 1));
    socket.once('close', () => (closed += 1));
  }
  // Four are admitted. The refused ones have a quarter of the reserve, which is a sixth of 64 fds.
  const KEPT = 4 + 2;
  while (closed < sockets.length - KEPT) await sleep(5);
  await sleep(300);
  t.equal(sockets.length - closed, KEPT, 'few are open, until they ask or their time is over');
  t.ok(daemon.open() <= before + KEPT, `${daemon.open()} fds are open, ${before} before`);
  t.ok(answered <= KEPT, 'the others were closed without an answer');
  for (const socket of sockets) socket.destroy();
  worker.close();
  for (let served = false; !served; await sleep(50)) {
    const control = new ControlWire(daemon.runtimeDir);
    served = await control.budget().then(
      () => true,
      () => false,
    );
    control.close();
  }
  await assertNoLeaks(t, daemon.runtimeDir);
  t.strictSame(daemon.failures(), [], 'no call failed for lack of fds');
});

t.test('a flood of connections does not affect connected clients', { skip }, async (t) => {
  const daemon = await startWitnessed(t, '[limits]\nhandshake_ms = 500\n');
  const { runtimeDir } = daemon;
  const worker = await HandoffWire.open(runtimeDir);
  await worker.ask({ allocate: { sizeBytes: 4096n, kinds, name: 'shared' } });
  const silent = Array.from({ length: 300 }, () => new HandoffWire(runtimeDir));
  for (let i = 0; i < 50; i += 1) await use(worker, 'shared');
  t.pass('a client that was connected before is still served');
  const ends = await Promise.all(silent.map(({ closed }) => closed));
  const codes = ends.map(([last]) => (last?.message.error ? errorOf(last.message.error).code : 'nothing'));
  const count = (code: string) => codes.filter((one) => one === code).length;
  t.ok(
    count('TOO_MANY_FILES') >= 8,
    `${count('TOO_MANY_FILES')} receive the reason, the others are closed without`,
  );
  t.equal(count('TOO_MANY_FILES') + count('PROTOCOL_ERROR') + count('nothing'), 300, 'all are closed');
  t.ok(
    count('PROTOCOL_ERROR') >= 3,
    `${count('PROTOCOL_ERROR')} were admitted and ended when no Hello arrived in time`,
  );
  await worker.ask({ free: { allocation: { name: 'shared' } } });
  worker.close();
  await assertNoLeaks(t, runtimeDir);
  t.strictSame(daemon.failures(), [], 'no call failed for lack of fds');
});
