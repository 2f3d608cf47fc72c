/**
 * The challenge of a daemon whose kernel refuses SO_PEERPIDFD, as Linux before 6.5 does: a client that answers it is
 * known by its process, as with SO_PEERPIDFD, and no other process passes for it.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { connect } from '@vkmemd/client';
import { encode, HANDOFF_SOCKET, openPidfd, openSeqpacket, PROTOCOL_VERSION } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { Challenge } from 'vkmemd/dist/handoff/challenge.js';
import { makeIdentity } from 'vkmemd/dist/policy/identity.js';
import { execute, inheritingProgram } from '../cli/support.js';
import { allocate, nothingLeft } from '../store/support.js';
import { asUser } from '../support/as-user.js';
import { controlGroup, MOVED } from '../support/control-group.js';
import { ControlWire } from '../support/control-wire.js';
import { ANYBODY, assertCounts, plainEnvironment, plainNode, root, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { refusing } from '../support/refuse-calls.js';
import { SupervisedDaemon, until } from '../support/supervised-daemon.js';
import { noOtherUser, OTHER_UID, openToOthers } from '../support/uid.js';

const ANSWERING = join(root, 'test/support/answering.py');
const python = spawnSync('python3', ['--version']);
const skip = python.error ? `no python3 here: ${python.error.message}` : false;
const skipOthers = skip || noOtherUser || false;
const SOMEBODY = { uid: OTHER_UID, gid: OTHER_UID, groups: [] };
const hello = { protocolVersion: PROTOCOL_VERSION };

const start = (t: Test, policy = '', errno = 'ENOPROTOOPT') =>
  startDaemon(t, { policy, before: refusing(errno, 'getsockopt:SO_PEERPIDFD') });

/** What the daemon answers to these ways to answer its challenge. @param before a command that runs the program. */
async function answers(runtimeDir: string, uid: number, cases: readonly string[], before: string[] = []) {
  const first = Buffer.from(encode('ClientMessage', { sequence: 1n, hello })).toString('hex');
  const operands = [String(uid), join(runtimeDir, HANDOFF_SOCKET), first, ...cases];
  const [program = '', ...args] = [...before, 'python3', ANSWERING, ...operands];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  await once(child, 'close');
  return JSON.parse(output);
}

/** Whether the daemon challenges its clients, as it does where the kernel does not say which processes they are. */
async function challenged(t: Test, runtimeDir: string): Promise<boolean> {
  const wire = await HandoffWire.open(runtimeDir);
  wire.close();
  await assertCounts(t, runtimeDir, {});
  return wire.welcome.challenge.byteLength > 0;
}

t.test('only the process that connected answers for itself', { skip: skipOthers }, async (t) => {
  const { runtimeDir } = await start(t, ANYBODY);
  openToOthers(runtimeDir);
  const expected = {
    own: ['challenge', 'welcome'],
    'child, then own': ['challenge', 'error', 'welcome'],
    'child names parent': ['challenge', 'refused'],
    'bare, then own': ['challenge', 'error', 'welcome'],
    replayed: ['challenge', 'error', 'end'],
    short: ['challenge', 'error', 'end'],
    twice: ['challenge', 'welcome', 'error', 'end'],
    'before Hello': ['error', 'end'],
  };
  t.strictSame(await answers(runtimeDir, OTHER_UID, Object.keys(expected)), expected);
  const other = { 'other user, then own': ['challenge', 'error', 'welcome'] };
  t.strictSame(await answers(runtimeDir, 0, Object.keys(other)), other, 'root names another user');
});

t.test('a pid that is in use again is not believed', async (t) => {
  const child = spawn('sleep', ['600']);
  const identity = makeIdentity({ uid: 7, gid: 7, pid: child.pid ?? 0, groups: [] });
  using challenge = new Challenge(openPidfd(identity.pid), identity);
  const bytes = challenge.next();
  const sender = { pid: identity.pid, uid: 7 };
  challenge.answer(bytes, sender);
  t.pass('the process of the pidfd is');
  child.kill('SIGKILL');
  await once(child, 'close');
  const refused = { code: 'NOT_PERMITTED', message: /has exited/ };
  t.throws(() => challenge.answer(bytes, sender), refused, 'a process that has its pid now is not');
  t.throws(() => challenge.answer(challenge.next().subarray(1), sender), { code: 'PROTOCOL_ERROR' });
  t.throws(() => challenge.answer(bytes, sender), { code: 'PROTOCOL_ERROR' }, 'earlier bytes have no effect');
});

for (const errno of ['ENOPROTOOPT', 'EPERM', 'ENOSYS']) {
  t.test(`the client library answers it: ${errno}`, { skip }, async (t) => {
    const { runtimeDir } = await start(t, '', errno);
    await using client = await connect({ runtimeDir });
    await using memory = await client.allocate({ size: 4096 });
    t.equal(memory.allocation.sizeBytes, 4096n, 'and has a session');

    const script = 'sleep 600 >/dev/null 2>&1 & echo $!; kill -KILL $$';
    const { said, ended } = execute(runtimeDir, ['--', 'sh', '-c', script]);
    const sleeper = Number(await said);
    t.match(await ended, { code: 'SIGKILL' }, 'a child of a program has a copy of its socket');
    await until('the end of its session', async () => {
      const { counts } = await client.budget();
      return counts.sessions === 1 || undefined;
    });
    t.ok(process.kill(sleeper, 'SIGKILL'), 'the session ended before the copy');
  });
}

t.test('without an answer a session is served as before', { skip }, async (t) => {
  const { runtimeDir } = await start(t);
  const wire = await HandoffWire.open(runtimeDir);
  t.equal(wire.welcome.challenge.byteLength, 16);
  const { message } = await wire.ask({ allocate: { sizeBytes: 4096n, kinds: ['KIND_MAPPABLE'] } });
  t.match(message.allocate?.allocation, { kept: false });
  wire.close();
  await assertCounts(t, runtimeDir, {});
});

for (const how of ['as before Linux 6.5', 'with SO_PEERPIDFD']) {
  t.test(`a session whose process ends while a child has its socket, ${how}`, { skip }, async (t) => {
    const daemon = await (how.startsWith('as before') ? start(t) : startDaemon(t));
    // A kernel without SO_PEERPIDFD has it in neither.
    const old = await challenged(t, daemon.runtimeDir);
    if (how.startsWith('as before')) t.equal(old, true);
    const first = Buffer.from(encode('ClientMessage', { sequence: 1n, hello })).toString('hex');
    const program = `
import os, socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(sys.argv[1])
s.send(bytes.fromhex(sys.argv[2]))
s.recv(65536)
child = os.fork()
if child:
    print(child, flush=True)
    sys.stdin.read()
else:
    os.close(1)
    time.sleep(600)`;
    const path = join(daemon.runtimeDir, HANDOFF_SOCKET);
    const client = spawn('python3', ['-c', program, path, first], { stdio: ['pipe', 'pipe', 'inherit'] });
    const [said] = (await once(client.stdout, 'data')) as [Buffer];
    const child = Number(said);
    const control = new ControlWire(daemon.runtimeDir);
    const sessions = async () => (await control.budget()).counts.sessions;
    t.equal(await sessions(), 1);
    client.stdin.end();
    await once(client, 'close');
    if (old) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      t.equal(await sessions(), 1, 'it lasts while a copy of its socket is open');
      process.kill(child, 'SIGKILL');
    }
    await until('the end of the session', async () => (await sessions()) === 0 || undefined);
    if (!old) t.ok(process.kill(child, 'SIGKILL'), 'the copy is open');
    control.close();
    await assertCounts(t, daemon.runtimeDir, {});
  });
}

t.test('a session that was inherited', { skip }, async (t) => {
  const { runtimeDir } = await start(t);
  const socket = openSeqpacket(join(runtimeDir, HANDOFF_SOCKET));
  const copy = socket.dup();
  const wire = await HandoffWire.open(socket);
  const { sessionId, challenge } = wire.welcome;
  wire.connection.pause();
  const [node, args] = plainNode([inheritingProgram]);
  const env = { ...plainEnvironment(), VKMEM_SESSION_FD: '3' };
  const child = spawn(node, args, { env, stdio: ['pipe', 'pipe', 'inherit', copy.fd] });
  const [said] = await once(child.stdout as Readable, 'data');
  t.equal(JSON.parse(said).session, String(sessionId), 'another process has it, which cannot answer');
  child.kill('SIGKILL');
  await once(child, 'close');
  copy.close();
  wire.connection.resume();

  const resume = async () => {
    wire.send({ sequence: 1n, hello: { ...hello, resume: true } });
    return (await wire.next()).message.welcome;
  };
  const resumed = await resume();
  t.equal(resumed?.sessionId, sessionId, 'the session continues');
  t.notSame(resumed?.challenge, challenge, 'with a new challenge');
  const proof = encode('ClientMessage', {
    sequence: 2n,
    hello: { ...hello, proof: resumed?.challenge ?? challenge },
  });
  t.ok(wire.connection.sendWithCredentials(proof));
  const known = { sessionId, challenge: Buffer.alloc(0) };
  t.match((await wire.next()).message.welcome, known, 'which the process that connected answers');
  t.match(await resume(), known, 'once');
  wire.close();
  await assertCounts(t, runtimeDir, {});
});

t.test('a proof where the kernel knows the process', { skip }, async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const wire = await HandoffWire.open(runtimeDir);
  if (wire.welcome.challenge.byteLength > 0) t.comment('this kernel has no SO_PEERPIDFD');
  wire.send({ hello: { ...hello, proof: Buffer.alloc(16) } });
  const [last] = await wire.closed;
  t.match(last?.message.error?.message, /proof/, 'ends the connection');
});

t.test('SESSION memory outlives the daemon', { skip }, async (t) => {
  const before = refusing('ENOPROTOOPT', 'getsockopt:SO_PEERPIDFD');
  const daemon = await SupervisedDaemon.start(t, { before });
  const client = await connect({ runtimeDir: daemon.runtimeDir });
  const memory = await client.allocate({ size: 4096 });
  t.equal(memory.allocation.kept, true);
  memory.map().bytes.fill(7);
  for (const death of ['first', 'second']) {
    const reconnected = once(client, 'reconnected');
    await daemon.kill();
    const [{ restored }] = await reconnected;
    t.equal(restored, true, `the session continues after the ${death} end of the daemon`);
    t.match(await client.get(memory), { id: memory.id, state: 'ALLOCATION_STATE_LIVE' });
  }
  t.equal(memory.map().bytes[0], 7);
  const args = [
    '--allocate',
    'name=left,size=4K,lifetime=session',
    '--',
    'sh',
    '-c',
    'echo 1; exec sleep 600',
  ];
  const { child, said } = execute(daemon.runtimeDir, args);
  await said;
  await daemon.kill();
  await daemon.serving();
  t.equal((await client.list()).length, 2, 'also that of a program that does not connect again');
  child.kill('SIGKILL');
  await until('the end of its memory', async () => (await client.list()).length === 1 || undefined);
  await memory.free();
  await client.close();

  const wire = await daemon.open();
  const kept = async () => {
    const { message } = await wire.ask({ allocate: { sizeBytes: 4096n, kinds: ['KIND_MAPPABLE'] } });
    return message.allocate?.allocation?.kept;
  };
  t.equal(await kept(), false, 'not that of a client before it answers');
  const known = await wire.prove(wire.welcome.challenge);
  t.equal(await kept(), true, 'but what it allocates then');
  const { fd } = await allocate(wire, 3);
  await daemon.kill();
  const again = await daemon.open({ token: known?.sessionToken ?? '', grantIds: [] });
  t.match(
    again.welcome,
    { restored: true, challenge: Buffer.alloc(0) },
    'its process is known by its session',
  );
  fd.close();
  wire.close();
  again.close();
  await nothingLeft(t, daemon);
});

t.test('a rule for a unit', { skip: skipOthers }, async (t) => {
  const group = controlGroup(t);
  if (typeof group === 'string') {
    t.pass('the daemon admits a unit', { skip: group });
    return;
  }
  const policy = `[[rule]]\nunit = "${group.unit}"\nconnect = true\nlifetimes = "NAMED"\n`;
  const { runtimeDir, log } = await start(t, policy);
  t.match(log(), /rules with unit match/);
  openToOthers(runtimeDir);
  const inside = (program: string) =>
    asUser(SOMEBODY, program, [runtimeDir], ['sh', '-c', MOVED, group.folder]);
  const served = {
    hello: 'served',
    session: 'NOT_PERMITTED',
    named: 'served',
    list: 'served',
    reload: 'NOT_PERMITTED',
  };
  t.strictSame(await inside('probe-policy.js'), served, 'admits a process of the unit that answers');
  const moved = ['sh', '-c', MOVED, group.folder];
  const expected = {
    own: ['challenge', 'welcome'],
    'child, then own': ['challenge', 'error', 'welcome'],
  };
  t.strictSame(await answers(runtimeDir, OTHER_UID, Object.keys(expected), moved), expected, 'only it');
  const outside = ['sh', '-c', MOVED, group.other];
  t.strictSame(
    await asUser(SOMEBODY, 'connects.js', [runtimeDir], outside),
    { connects: false },
    'not outside of it',
  );
});
