/**
 * connect() in a process that inherited a session: where it looks for the session, what it takes, and what it
 * refuses.
 */
import { closeSync, openSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { connect } from '@vkmemd/client';
import {
  ALLOCATIONS_VARIABLE,
  HANDOFF_SOCKET,
  openSeqpacket,
  SESSION_FD_VARIABLE,
  seqpacketPair,
} from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { isCloexec, openFds, sameFds } from '../native/open-fds.js';
import { assertCounts, assertNoLeaks, startDaemon, temporaryFolder } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { PAGE } from './support.js';

/** Sets environment variables for one test. */
function setVariables(t: Test, variables: Readonly<Record<string, string>>): void {
  Object.assign(process.env, variables);
  t.teardown(() => {
    for (const name of Object.keys(variables)) delete process.env[name];
  });
}

/**
 * A session with one allocation, and the number of an fd of its socket that no object in this process owns.
 */
async function leftSession(runtimeDir: string) {
  const socket = openSeqpacket(join(runtimeDir, HANDOFF_SOCKET));
  const fd = socket.dup().take();
  const wire = await HandoffWire.open(socket);
  const { message } = await wire.ask({ allocate: { kinds: ['KIND_MAPPABLE'], sizeBytes: BigInt(PAGE) } });
  wire.connection.pause();
  return { wire, fd, id: message.allocate?.allocation?.id ?? '' };
}

t.test('connect() takes the session that the environment names, once', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const before = openFds();
  const { wire, fd, id } = await leftSession(runtimeDir);
  const own = join(runtimeDir, HANDOFF_SOCKET);
  setVariables(t, {
    [SESSION_FD_VARIABLE]: String(fd),
    [ALLOCATIONS_VARIABLE]: JSON.stringify({ scratch: id }),
    VKMEMD_RUNTIME_DIR: temporaryFolder(t),
  });
  for (const options of [{ runtimeDir }, { handoffSocket: own }]) {
    await using other = await connect(options);
    t.equal(other.session.inherited, false, `${Object.keys(options)} has precedence`);
    t.equal(other.inherited.size, 0);
  }

  const client = await connect();
  t.match(client.session, { inherited: true, id: wire.welcome.sessionId, token: wire.welcome.sessionToken });
  t.strictSame([...client.inherited], [['scratch', id]]);
  t.ok(isCloexec(fd), 'children do not inherit the fd');
  t.strictSame([process.env[SESSION_FD_VARIABLE], process.env[ALLOCATIONS_VARIABLE]], [undefined, undefined]);
  await t.rejects(connect(), { code: 'UNAVAILABLE' }, 'a second connect() uses the runtime folder');

  const memory = await client.claim({ id: client.inherited.get('scratch') ?? '' });
  memory.map().bytes.fill(7);
  await assertCounts(t, runtimeDir, { sessions: 1, allocations: 1, grants: 1, fds: 1, deviceMemories: 1 });
  await t.rejects(client.budget(), {
    code: 'UNAVAILABLE',
    reason: /control\.sock: connect: ENOENT.*session was inherited.*controlSocket/,
  });
  await client.close();
  // Even though another fd of its socket is open.
  await assertNoLeaks(t, runtimeDir);
  wire.close();
  await sameFds(t, before);
});

t.test('sessionFd takes a session and allows a control socket', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const { wire, fd, id } = await leftSession(runtimeDir);
  setVariables(t, { [SESSION_FD_VARIABLE]: '99', [ALLOCATIONS_VARIABLE]: '{"other":"x"}' });
  await using client = await connect({ sessionFd: fd, runtimeDir });
  t.match(client.session, { inherited: true, id: wire.welcome.sessionId });
  t.equal(client.inherited.size, 0, 'the environment describes another fd');
  t.equal(process.env[SESSION_FD_VARIABLE], '99', 'and is left unchanged');
  t.match(await client.get({ id }), { id, lifetime: 'LIFETIME_SESSION' });
  t.equal((await client.budget()).counts.sessions, 1);
  wire.close();
});

t.test('sessionFd with the fd of the environment also takes its allocations', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const { wire, fd, id } = await leftSession(runtimeDir);
  setVariables(t, { [SESSION_FD_VARIABLE]: String(fd), [ALLOCATIONS_VARIABLE]: JSON.stringify({ a: id }) });
  await using client = await connect({ sessionFd: fd });
  t.strictSame([...client.inherited], [['a', id]]);
  t.equal(process.env[SESSION_FD_VARIABLE], undefined);
  wire.close();
});

t.test('an fd that is not a session is refused', async (t) => {
  const before = openFds();
  const file = openSync('/dev/null', 'r');
  const unconnected = createServer().listen(join(temporaryFolder(t), 'stream.sock'));
  const listening = (unconnected as unknown as { _handle: { fd: number } })._handle.fd;
  const cases: [string, string, RegExp][] = [
    ['nonsense', '{}', /is not the number of an fd/],
    ['-1', '{}', /is not the number of an fd/],
    ['9999999999', '{}', /is not an fd/],
    ['1048575', '{}', /^VKMEM_SESSION_FD: 1048575 is not a connected session \(getsockopt: EBADF/],
    ['01048575', '{}', /^VKMEM_SESSION_FD: 1048575 is not a connected session/],
    [String(file), '{}', /is not a connected session \(getsockopt: ENOTSOCK/],
    [String(listening), '{}', /is not a connected session \(socket: EPROTOTYPE/],
    ['1048575', '{', /is not JSON/],
    ['1048575', '[]', /not an object of labels and ids/],
    ['1048575', '{"frames":7}', /not an object of labels and ids/],
    ['1048575', 'null', /not an object of labels and ids/],
  ];
  for (const [fd, allocations, reason] of cases) {
    setVariables(t, { [SESSION_FD_VARIABLE]: fd, [ALLOCATIONS_VARIABLE]: allocations });
    await t.rejects(connect(), { code: 'INVALID_ARGUMENT', reason }, `${fd} with ${allocations}`);
    t.equal(process.env[SESSION_FD_VARIABLE], fd, 'the environment is left unchanged');
  }
  for (const sessionFd of [-1, 1.5, Number.NaN, 2 ** 31]) {
    await t.rejects(connect({ sessionFd }), {
      code: 'INVALID_ARGUMENT',
      reason: /sessionFd: .* is not an fd/,
    });
  }
  closeSync(file);
  await new Promise((resolve) => unconnected.close(resolve));
  await sameFds(t, before);
});

t.test('an inherited session whose daemon has ended is refused', async (t) => {
  const before = openFds();
  const [one, other] = seqpacketPair();
  other.close();
  await t.rejects(connect({ sessionFd: one.take() }), { code: 'UNAVAILABLE' });
  await sameFds(t, before);
});

t.test('a worker thread does not take the session of the environment', async (t) => {
  const before = openFds();
  const [one, other] = seqpacketPair();
  const client = new URL(import.meta.resolve('@vkmemd/client')).href;
  const script = `import { parentPort } from 'node:worker_threads';
    const { connect } = await import(${JSON.stringify(client)});
    parentPort.postMessage(await connect().catch(({ code, message }) => ({ code, message })));`;
  const env = {
    ...process.env,
    [SESSION_FD_VARIABLE]: String(one.fd),
    VKMEMD_RUNTIME_DIR: temporaryFolder(t),
  };
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`), { env });
  const answer = await new Promise((resolve, reject) =>
    worker.once('message', resolve).once('error', reject),
  );
  t.match(answer, { code: 'UNAVAILABLE', message: /ENOENT/ });
  await worker.terminate();
  for (const fd of [one, other]) fd.close();
  await sameFds(t, before);
});
