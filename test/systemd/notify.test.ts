/**
 * sd_notify: the manager is notified when the daemon serves and when it stops; children do not inherit its
 * socket.
 */
import { join } from 'node:path';
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

t.test('invalid addresses of $NOTIFY_SOCKET are rejected', async (t) => {
  const from = (path: string) => Notifier.fromEnvironment({ NOTIFY_SOCKET: path });
  t.equal(await Notifier.fromEnvironment({}), undefined, 'no manager');
  await t.rejects(from('@abstract'), /abstract/);
  await t.rejects(from(`/${'x'.repeat(108)}`), /longer than 107/);
  const env: NodeJS.ProcessEnv = { NOTIFY_SOCKET: join(temporaryFolder(t), 'missing') };
  const notifier = await Notifier.fromEnvironment(env);
  t.equal(env.NOTIFY_SOCKET, undefined, 'children cannot notify the manager');
  t.throws(() => notifier?.send('READY=1'), /did not receive READY=1/, 'a missing manager');
});
