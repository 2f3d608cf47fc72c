/**
 * sd_notify: the manager is notified when the daemon serves and when it stops; children do not inherit its
 * socket.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { connect } from '@vkmemd/client';
import { closeAll, DatagramReceiver } from '@vkmemd/proto';
import t from 'tap';
import { Notifier } from 'vkmemd/dist/systemd/notify.js';
import { startDaemon, temporaryFolder } from '../support/daemon.js';
import { manager } from './manager.js';

t.test('READY=1 once it serves, STOPPING=1 when it stops', async (t) => {
  const path = join(temporaryFolder(t), 'notify');
  const { messages, close } = manager(path);
  t.teardown(close);
  const { line, stop } = await startDaemon(t, { env: { NOTIFY_SOCKET: path } });
  t.strictSame(await stop(), { code: 0, signal: null });
  await new Promise((resolve) => setTimeout(resolve, 50));
  const device = /device (.*) \(\w+\); driver/.exec(line)?.[1];
  t.strictSame(messages, [`READY=1\nSTATUS=0 allocations, 0 B, 0 sessions; device ${device}`, 'STOPPING=1']);
});

t.test('a manager that does not listen does not affect the daemon', async (t) => {
  const path = join(temporaryFolder(t), 'missing');
  const { stop, log } = await startDaemon(t, { env: { NOTIFY_SOCKET: path } });
  t.strictSame(await stop(), { code: 0, signal: null });
  t.match(log(), /the service manager did not receive a notification/);
});

t.test('an abstract address', async (t) => {
  const address = `@vkmemd-test/${process.pid}/notify`;
  const messages: string[] = [];
  using _manager = DatagramReceiver.bind(address, {
    message: ({ data, fds }) => {
      messages.push(data.toString());
      closeAll(fds);
    },
    error: (failure) => t.error(failure),
  });
  const { runtimeDir, stop } = await startDaemon(t, { env: { NOTIFY_SOCKET: address, FDSTORE: '20' } });
  const client = await connect({ runtimeDir });
  const memory = await client.allocate({ size: 4096n, name: 'kept' });
  await memory.free();
  await client.close();
  t.strictSame(await stop(), { code: 0, signal: null });
  t.ok(
    messages.some((message) => message.startsWith('READY=1')),
    'notified',
  );
  t.ok(
    messages.some((message) => message.startsWith('FDSTORE=1')),
    'its fd store is used',
  );
  t.equal(messages.filter((message) => message === 'STOPPING=1').length, 1);
});

t.test('a manager that does not read is no reason not to start, nor not to stop', async (t) => {
  const path = join(temporaryFolder(t), 'notify');
  // A datagram socket of a process that never reads it, with a full queue.
  const deaf = spawn('python3', [
    '-c',
    `import socket as s,sys
r=s.socket(s.AF_UNIX,s.SOCK_DGRAM); r.bind(sys.argv[1])
senders=[]; sent=1
while sent:
  w=s.socket(s.AF_UNIX,s.SOCK_DGRAM); w.setblocking(False); senders.append(w); sent=0
  try:
    while True: w.sendto(b'x', sys.argv[1]); sent+=1
  except BlockingIOError: pass
print('full', flush=True)
sys.stdin.read()`,
    path,
  ]);
  const ended = new Promise((resolve) => deaf.once('exit', resolve));
  t.teardown(async () => {
    deaf.stdin.end();
    await ended;
  });
  await new Promise((resolve) => deaf.stdout.once('data', resolve));
  for (const env of [{ NOTIFY_SOCKET: path }, { NOTIFY_SOCKET: path, FDSTORE: '20' }]) {
    const { runtimeDir, stop, log } = await startDaemon(t, { env });
    const client = await connect({ runtimeDir });
    const memory = await client.allocate({ size: 4096n }).catch((failure) => failure);
    if ('FDSTORE' in env) t.match(memory, { code: 'UNAVAILABLE', message: /its queue was full for 5000 ms/ });
    else await memory.free();
    await client.close();
    t.strictSame(await stop(), { code: 0, signal: null });
    t.match(log(), /the service manager did not receive a notification/);
    if ('FDSTORE' in env) t.match(log(), /the service manager has not read its socket for 5 s/);
  }
});

t.test('invalid addresses of $NOTIFY_SOCKET are rejected', async (t) => {
  const from = (path: string) => Notifier.fromEnvironment({ NOTIFY_SOCKET: path });
  t.equal(Notifier.fromEnvironment({}), undefined, 'no manager');
  t.equal(from('vsock:2:9999'), undefined, 'the manager of a host is not notified');
  t.ok(from('@abstract'));
  t.throws(() => from('run/notify'), { code: 'INVALID_ARGUMENT', message: /neither an absolute path/ });
  t.throws(() => from(`/${'x'.repeat(108)}`), { code: 'INVALID_ARGUMENT', message: /1 to 107/ });
  const env: NodeJS.ProcessEnv = { NOTIFY_SOCKET: join(temporaryFolder(t), 'missing') };
  const notifier = Notifier.fromEnvironment(env);
  t.equal(env.NOTIFY_SOCKET, undefined, 'children cannot notify the manager');
  t.throws(() => notifier?.send('READY=1'), /did not receive READY=1/, 'a missing manager');
});
