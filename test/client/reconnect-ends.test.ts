/**
 * How reconnecting ends: after a time limit, by a refusal, by close(); and whether it keeps the process
 * alive.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { connect } from '@vkmemd/client';
import { statusOf, VkmemError } from '@vkmemd/proto';
import t from 'tap';
import { openFds, sameFds } from '../native/open-fds.js';
import { temporaryFolder } from '../support/daemon.js';
import { ScriptedDaemon } from '../support/scripted-daemon.js';
import { startFakeDaemon } from './fake-daemon.js';
import { staged, write } from './reconnect-support.js';
import { connected, runProgram } from './support.js';

t.test('a client without memory gives up after reconnectMs', (t) =>
  staged(
    t,
    async (client, daemon) => {
      daemon.restores = false;
      daemon.crash();
      const over = once(client, 'disconnected');
      await once(client, 'reconnecting');
      const metadata = { retryable: 'true', outcome: 'not-done' };
      const refused = t.rejects(client.claim({ name: 'x' }), { code: 'UNAVAILABLE', metadata });
      t.match(await over, [{ code: 'UNAVAILABLE', reason: /was not reached again within 300 ms.*ENOENT/ }]);
      await Promise.all([refused, client.closed]);
      await t.rejects(client.allocate({ size: 1 }), { code: 'UNAVAILABLE' }, 'later requests');
      await t.rejects(client.budget(), { code: 'UNAVAILABLE', reason: /was not reached again/ });
      daemon.start();
      await new Promise((resolve) => setTimeout(resolve, 100));
      t.equal(daemon.hellos.length, 1, 'the client does not connect again');
    },
    { reconnectMs: 300 },
  ),
);

t.test('a client with memory does not give up', (t) =>
  staged(
    t,
    async (client, daemon) => {
      client.on('disconnected', () => t.fail('the connection was given up'));
      const memory = await client.allocate({ size: 1 });
      const { bytes } = write(memory, 4);
      daemon.crash();
      await once(client, 'reconnecting');
      const metadata = { retryable: 'true', outcome: 'not-done' };
      const late = { code: 'UNAVAILABLE', reason: /was not reached again within 100 ms/, metadata };
      await t.rejects(client.claim({ name: 'x' }), late, 'but a request fails after reconnectMs');
      await t.rejects(client.allocate({ size: 1 }), late, 'each request');
      t.same([bytes[0], memory.map().bytes[0]], [4, 4], 'mapped memory stays valid');
      daemon.deed = ({ body }) => (body === 'hello' ? 'ignore' : 'answer');
      daemon.start();
      while (daemon.seen.at(-1) !== 'hello') await new Promise(setImmediate);
      await t.rejects(
        client.allocate({ size: 1 }),
        late,
        'also while a daemon listens that has not answered Hello',
      );
      t.equal(daemon.seen.at(-1), 'hello', 'only Hello was sent');
      daemon.deed = () => 'answer';
      daemon.restart();
      t.match(await once(client, 'reconnected'), [{ restored: true }]);
      await memory.free();
    },
    { reconnectMs: 100 },
  ),
);

for (const body of ['allocate', 'claim'] as const) {
  t.test(`${body}: a request that is under way at two deaths of the daemon is not sent a third time`, (t) =>
    staged(t, async (client, daemon) => {
      const own = await client.allocate({ size: 1 });
      let sent = 0;
      daemon.deed = (message) => {
        if (message.body !== body) return 'answer';
        sent += 1;
        setImmediate(() => daemon.start());
        return 'crash';
      };
      const asked = () => (body === 'allocate' ? client.allocate({ size: 1 }) : client.claim(own));
      const metadata = { retryable: 'true', outcome: 'unknown', attempts: '2' };
      await t.rejects(asked(), { code: 'UNAVAILABLE', metadata });
      t.equal(sent, 2);
      let crashes = 1;
      daemon.deed = (message) => {
        if (message.body !== body || crashes === 0) return 'answer';
        crashes -= 1;
        setImmediate(() => daemon.start());
        return 'crash';
      };
      await (await asked()).free();
      t.equal(crashes, 0, 'at one death it is sent again');
    }),
  );
}

t.test('with reconnectMs 0 the client does not reconnect', (t) =>
  staged(
    t,
    async (client, daemon) => {
      client.on('reconnecting', () => t.fail('the client tried to reconnect'));
      daemon.deed = ({ body }) => (body === 'allocate' ? 'crash' : 'answer');
      daemon.restores = false;
      const over = once(client, 'disconnected');
      const metadata = { retryable: 'true', outcome: 'unknown' };
      await t.rejects(client.allocate({ size: 1 }), { code: 'UNAVAILABLE', metadata });
      await Promise.all([over, client.closed]);
    },
    { reconnectMs: 0 },
  ),
);

for (const code of ['NOT_PERMITTED', 'VERSION_UNSUPPORTED', 'PROTOCOL_ERROR'] as const) {
  t.test(`reconnecting ends when Hello is refused with ${code}`, async (t) => {
    let greetings = 0;
    const { runtimeDir, hangUp } = startFakeDaemon(
      t,
      () => [],
      ({ sequence }) => {
        greetings += 1;
        const error = statusOf(new VkmemError(code));
        return [{ message: { sequence, ...(greetings === 1 ? WELCOME : { error }) } }];
      },
    );
    const client = await connected(t, runtimeDir);
    hangUp();
    const [reason] = await once(client, 'disconnected');
    t.equal(reason.code, code);
    await client.closed;
    t.equal(greetings, 2, 'no further attempt');
    await t.rejects(client.allocate({ size: 1 }), { code: 'UNAVAILABLE' });
  });
}
const WELCOME = { welcome: { protocolVersion: 1, sessionId: 1n, sessionToken: 'x', incarnation: 'x' } };

t.test('a Hello that is refused because the daemon is full is repeated', async (t) => {
  let greetings = 0;
  const { runtimeDir, hangUp } = startFakeDaemon(
    t,
    () => [],
    ({ sequence }) => {
      greetings += 1;
      const error = statusOf(new VkmemError('TOO_MANY_SESSIONS'));
      return [{ message: { sequence, ...(greetings === 2 ? { error } : WELCOME) } }];
    },
  );
  const client = await connected(t, runtimeDir);
  hangUp();
  await once(client, 'reconnected');
  t.equal(greetings, 3);
});

t.test('close() ends reconnecting', async (t) => {
  for (const greeted of [false, true]) {
    await staged(t, async (client, daemon) => {
      client.on('disconnected', () => t.fail('close() emitted disconnected'));
      const memory = await client.allocate({ size: 1 });
      const { bytes } = write(memory, 1);
      daemon.deed = ({ body }) => (body === 'hello' ? 'ignore' : 'answer');
      daemon.restores = false;
      daemon.crash();
      await once(client, 'reconnecting');
      if (greeted) daemon.start();
      while (greeted && daemon.seen.at(-1) !== 'hello') await new Promise(setImmediate);
      const asked = t.rejects(client.allocate({ size: 1 }), {
        code: 'UNAVAILABLE',
        reason: 'The client was closed.',
      });
      await Promise.all([client.close(), asked]);
      await client.closed;
      t.equal(bytes.length, 0, greeted ? 'while Hello is unanswered' : 'between two attempts');
    });
  }
});

t.test('a process stays alive while it reconnects only if it holds memory', async (t) => {
  const daemon = new ScriptedDaemon(t);
  const end = (what: string) => runProgram('reconnect-worker.js', [daemon.runtimeDir, what]);
  const crashing = async (what: string) => {
    const seen = daemon.seen.length;
    const ended = end(what);
    const wanted = what === 'idle' ? 1 : 2;
    while (daemon.seen.length < seen + wanted) await new Promise((resolve) => setTimeout(resolve, 5));
    daemon.crash();
    return ended;
  };
  t.match(
    await crashing('idle'),
    { code: 0, stdout: 'reconnecting' },
    'a process that holds nothing may end',
  );
  daemon.start();
  const holding = crashing('holds');
  while (daemon.listening) await new Promise((resolve) => setTimeout(resolve, 5));
  // Longer than an idle process needs to end.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  daemon.start();
  t.match(
    await holding,
    { code: 0, stdout: 'reconnecting reconnected' },
    'a process that holds memory does not end',
  );
});

t.test('the session of a worker thread reconnects, and a terminated one leaves no fd', async (t) => {
  const before = openFds();
  const daemon = new ScriptedDaemon(t);
  const client = new URL(import.meta.resolve('@vkmemd/client')).href;
  const script = `import { parentPort, workerData } from 'node:worker_threads';
    const { connect } = await import(${JSON.stringify(client)});
    const client = await connect({ runtimeDir: workerData });
    const memory = await client.allocate({ size: 1 });
    const { bytes } = memory.map();
    for (const event of ['reconnecting', 'reconnected']) {
      client.on(event, () => parentPort.postMessage(event + ' ' + bytes.length));
    }
    parentPort.postMessage('ready');`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(script)}`);
  const worker = new Worker(url, { workerData: daemon.runtimeDir });
  t.same(await once(worker, 'message'), ['ready']);
  daemon.restart();
  t.same(await once(worker, 'message'), ['reconnecting 65536']);
  t.same(await once(worker, 'message'), ['reconnected 65536']);
  daemon.crash();
  t.same(await once(worker, 'message'), ['reconnecting 65536']);
  await worker.terminate();
  await sameFds(t, before);
});

t.test('an invalid reconnectMs is rejected', async (t) => {
  for (const reconnectMs of [-1, Number.NaN, '5' as never]) {
    const refused = { code: 'INVALID_ARGUMENT', metadata: { field: 'reconnectMs' } };
    await t.rejects(connect({ runtimeDir: temporaryFolder(t), reconnectMs }), refused);
  }
});
