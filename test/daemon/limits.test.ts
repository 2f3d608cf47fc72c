/**
 * The limits that a client can reach: the number of sessions, the time without a message, the rate of
 * requests. Each refusal is a typed error followed by the end of the connection; throttled requests are not
 * lost.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { errorOf, PROTOCOL_VERSION } from '@vkmemd/proto';
import t from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { ANYBODY, assertCounts, plainEnvironment, plainNode, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { asOtherUser, noOtherUser, openToOthers } from '../support/uid.js';

const kinds = ['KIND_MAPPABLE'] as const;
const HELLO = { hello: { protocolVersion: PROTOCOL_VERSION } };
const limits = (...lines: readonly string[]) => ['[limits]', ...lines, ANYBODY].join('\n');

/**
 * The result of a new connection: 'served', or the code of the error, after which the daemon closes the
 * connection.
 */
async function attempt(runtimeDir: string, retained: HandoffWire[]): Promise<string> {
  const wire = new HandoffWire(runtimeDir);
  wire.send(HELLO);
  const { message } = await wire.next();
  if (!message.error) {
    retained.push(wire);
    return 'served';
  }
  await wire.closed;
  return message.sequence === 0n ? errorOf(message.error).code : 'an answer';
}

t.test(
  'the number of sessions is limited, for each user and in all',
  { skip: noOtherUser ?? false },
  async (t) => {
    const { runtimeDir } = await startDaemon(t, { policy: limits('sessions = 8') });
    openToOthers(runtimeDir);
    const retained: HandoffWire[] = [];
    const reported: string[] = [];
    for (let i = 0; i < 10; i += 1) reported.push(await attempt(runtimeDir, retained));
    t.strictSame(
      reported,
      [...Array(6).fill('served'), ...Array(4).fill('TOO_MANY_SESSIONS')],
      'one user may open three quarters of them',
    );
    t.equal(await asOtherUser('attempt.js', [runtimeDir]), 'served', 'another user can still open a session');
    await assertCounts(t, runtimeDir, { sessions: 6 });
    retained.shift()?.close();
    await assertCounts(t, runtimeDir, { sessions: 5 });
    t.equal(await attempt(runtimeDir, retained), 'served', 'a place that was freed can be used again');
    for (const wire of retained) wire.close();
  },
);

t.test(
  'the number of connections with and without a session is limited',
  { skip: noOtherUser ?? false },
  async (t) => {
    const policy = `[limits]\nhandshake_ms = 60000\n[[rule]]\nuid = 0\nmax_sessions = 3\n${ANYBODY}`;
    const { runtimeDir } = await startDaemon(t, { policy });
    const greeted = await Promise.all(Array.from({ length: 3 }, () => HandoffWire.open(runtimeDir)));
    const silent = Array.from({ length: 11 }, () => new HandoffWire(runtimeDir));
    const over = new HandoffWire(runtimeDir);
    const [last] = await over.closed;
    const reported = last?.message.error && errorOf(last.message.error);
    t.match(reported, { code: 'TOO_MANY_SESSIONS', metadata: { limit: '14', whose: 'user' } });
    openToOthers(runtimeDir);
    t.equal(await asOtherUser('attempt.js', [runtimeDir]), 'served', 'another user is not affected');
    for (const wire of [...greeted, ...silent]) wire.close();
    const retained: HandoffWire[] = [];
    const tells = async () => attempt(runtimeDir, retained);
    for (let served = false; !served; ) served = (await tells()) === 'served';
    t.strictSame(
      [await tells(), await tells()],
      ['served', 'served'],
      'the user can open as many sessions as its limit allows',
    );
    for (const wire of retained) wire.close();
  },
);

t.test('a connection without Hello is closed after handshake_ms', async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: limits('handshake_ms = 300') });
  const silent = new HandoffWire(runtimeDir);
  const [last] = await silent.closed;
  const reported = last?.message.error && errorOf(last.message.error);
  t.match(reported, { code: 'PROTOCOL_ERROR', reason: /Hello.*300 ms/ });
  const half = new HandoffWire(runtimeDir);
  half.connection.send(Buffer.from([0x08]));
  const [answer] = await half.closed;
  t.equal(
    answer?.message.error && errorOf(answer.message.error).code,
    'PROTOCOL_ERROR',
    'an incomplete message',
  );
  const wire = await HandoffWire.open(runtimeDir);
  await sleep(600);
  t.ok(
    (await wire.ask({ allocate: { sizeBytes: 4096n, kinds } })).message.allocate,
    'after Hello the time limit no longer applies',
  );
  wire.close();
});

t.test('requests above the rate limit are delayed on the handoff socket and refused by gRPC', async (t) => {
  const { runtimeDir } = await startDaemon(t, {
    policy: limits('requests_per_second = 20', 'request_burst = 20'),
  });
  const wire = await HandoffWire.open(runtimeDir);
  const other = await HandoffWire.open(runtimeDir);
  const begun = performance.now();
  for (let i = 0; i < 60; i += 1) wire.send({ release: { grantId: 77n } });
  await other.ask({ allocate: { sizeBytes: 4096n, kinds } });
  const alone = performance.now() - begun;
  for (let i = 0; i < 60; i += 1) {
    const { message } = await wire.next();
    if (!message.error || errorOf(message.error).code !== 'NOT_FOUND')
      t.fail('an answer is missing or wrong');
  }
  const all = performance.now() - begun;
  t.ok(all > 1500, `60 answers took ${all.toFixed(0)} ms: none was lost or refused`);
  t.ok(alone < all, 'a client below its rate does not wait');
  wire.close();
  other.close();

  const control = new ControlWire(runtimeDir);
  const answers = await Promise.allSettled(Array.from({ length: 60 }, () => control.budget()));
  const refusals = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []));
  t.ok(refusals.length > 0, `${refusals.length} of 60 concurrent calls were refused`);
  const waits = refusals.map(({ code, metadata }) => `${code} ${Number(metadata.retry_after_ms) > 0}`);
  t.strictSame([...new Set(waits)], ['RATE_LIMITED true'], 'each refusal states a delay');
  await sleep(Math.max(...refusals.map(({ metadata }) => Number(metadata.retry_after_ms))));
  t.ok(await control.budget(), 'after the delay a call is served');
  control.close();
});

t.test(
  'the number of control connections of a user is limited',
  { skip: noOtherUser ?? false },
  async (t) => {
    const { runtimeDir } = await startDaemon(t, { policy: limits('control_connections_per_user = 3') });
    openToOthers(runtimeDir);
    t.strictSame(
      await asOtherUser('attempt.js', [runtimeDir, 'control', '5']),
      ['served', 'served', 'served', 'TOO_MANY_SESSIONS', 'TOO_MANY_SESSIONS'],
      'the first call of each surplus connection fails',
    );
    const mine = Array.from({ length: 5 }, () => new ControlWire(runtimeDir));
    for (const control of mine) t.ok(await control.budget(), 'operators are exempt');
    for (const control of mine) control.close();
  },
);

t.test('refused control connections are closed although they send nothing', async (t) => {
  const { runtimeDir } = await startDaemon(t, {
    policy: `[limits]\nhandshake_ms = 300\ncontrol_connections_per_user = 0\n[[rule]]\nuid = 0\noperator = false\n${ANYBODY}`,
    unchecked: true,
  });
  const sockets = Array.from({ length: 20 }, () => connect(join(runtimeDir, 'control.sock')));
  await Promise.all(sockets.map((socket) => once(socket.on('error', () => {}).resume(), 'close')));
  t.pass('all of them were closed');
});

/** The state of a process in /proc. */
const stateOf = (pid = 0) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0];

t.test('the fds of a stopped client stay in its socket until it reads or ends', async (t) => {
  const { runtimeDir, pid } = await startDaemon(t);
  const openFds = () => readdirSync(`/proc/${pid}/fd`).length;
  const owner = await HandoffWire.open(runtimeDir);
  await owner.ask({ allocate: { sizeBytes: 4096n, kinds, name: 'shared' } });
  const control = new ControlWire(runtimeDir);
  const sees = async (what: string, holds: () => boolean | Promise<boolean>) => {
    const end = Date.now() + 20_000;
    while (!(await holds()) && Date.now() < end) await sleep(10);
    t.ok(await holds(), what);
  };
  const counts = async () => (await control.budget()).counts;
  for (const ending of ['stays', 'is dropped']) {
    const before = (await counts()) && openFds();
    const program = fileURLToPath(new URL('../support/stopped-client.js', import.meta.url));
    const args = [program, runtimeDir, 'shared', '10', ...(ending === 'stays' ? [] : ['breach'])];
    const child = spawn(...plainNode(args), { env: plainEnvironment() });
    t.teardown(() => child.kill('SIGKILL'));
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    t.equal((await lines.next()).value, 'asked');
    await sees('the answers are in its socket', async () => (await counts()).grants === 10);
    child.stdin.write('stop\n');
    await sees('it is stopped', () => stateOf(child.pid) === 'T');
    if (ending === 'is dropped') {
      await sees('its session has ended', async () => (await counts()).sessions === 1);
      await sees('but the socket stays open', () => openFds() === before + 1);
    }
    child.kill('SIGCONT');
    t.equal((await lines.next()).value, '10 fds', 'it reads them when it continues');
    await once(child, 'close');
    await sees('then its fds are closed', () => openFds() === before);
  }
  await owner.ask({ free: { allocation: { name: 'shared' } } });
  owner.close();
  control.close();
});
