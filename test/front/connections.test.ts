/**
 * Connections to the control and admin sockets, which the core accepts for the front: those that wait for a
 * front, those that the front never sees, those above the limits, and a daemon without a front.
 */
import { chmodSync, existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ADMIN_SOCKET, CONTROL_SOCKET } from '@vkmemd/proto';
import t from 'tap';
import { asUser } from '../support/as-user.js';
import { ControlWire } from '../support/control-wire.js';
import { ANYBODY, NOTHING, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { noOtherUser, OTHER_UID, openToOthers } from '../support/uid.js';
import { Play } from './played.js';
import { childrenOf, sleep, until } from './support.js';

const nobody = { uid: OTHER_UID, gid: OTHER_UID, groups: [] };
const fromHere = (program: string): string => fileURLToPath(new URL(program, import.meta.url));

t.test('connections wait until there is a front', async (t) => {
  const play = await Play.begin(t, { late: true });
  const { front, runtimeDir } = play;
  const wire = await HandoffWire.open(runtimeDir);
  t.notOk(
    (await wire.ask({ getStatus: {} })).message.getStatus?.front?.present,
    'the daemon serves without it',
  );
  const sockets = [CONTROL_SOCKET, CONTROL_SOCKET, ADMIN_SOCKET].map((name) =>
    connect(join(runtimeDir, name)),
  );
  await sleep(100);
  t.equal(front.callers.length, 0);
  front.begin();
  await until('they are passed', () => front.callers.length === sockets.length);
  for (const { number } of [...front.callers]) {
    t.equal(await front.outcome(front.call(number, 'GetStatus')), 'served');
  }
  for (const socket of sockets) socket.destroy();
  wire.close();
  await play.end();
});

t.test(
  'a user that may not connect is disconnected, and the front never sees the connection',
  {
    skip: noOtherUser ?? false,
  },
  async (t) => {
    const play = await Play.begin(t);
    openToOthers(play.runtimeDir);
    chmodSync(join(play.runtimeDir, ADMIN_SOCKET), 0o666);
    t.strictSame(await asUser(nobody, fromHere('programs/disconnected.js'), [play.runtimeDir]), [
      'closed',
      'closed',
    ]);
    t.strictSame(play.front.callers, []);
    t.ok(await play.connect(), 'that of another user is passed');
    t.equal(play.front.callers.length, 1);
    await play.end();
  },
);

t.test('connections above the limit get TOO_MANY_SESSIONS', { skip: noOtherUser ?? false }, async (t) => {
  const policy = `${ANYBODY}[limits]\ncontrol_connections_per_user = 2\n`;
  const { runtimeDir } = await startDaemon(t, { policy });
  openToOthers(runtimeDir);
  const attempt = fileURLToPath(new URL('../support/attempt.js', import.meta.url));
  const outcomes = await asUser(nobody, attempt, [runtimeDir, 'control', '4']);
  t.strictSame(outcomes, ['served', 'served', 'TOO_MANY_SESSIONS', 'TOO_MANY_SESSIONS']);
  const again = await asUser(nobody, attempt, [runtimeDir, 'control', '2']);
  t.strictSame(again, ['served', 'served'], 'their places are free again');
  const control = new ControlWire(runtimeDir);
  t.ok(await control.budget());
  control.close();
});

t.test('--no-front: the handoff socket alone', async (t) => {
  const daemon = await startDaemon(t, { args: ['--no-front'], unchecked: true });
  const { runtimeDir } = daemon;
  t.notMatch(daemon.line, /control\.sock|admin\.sock/);
  for (const name of [CONTROL_SOCKET, ADMIN_SOCKET]) t.notOk(existsSync(join(runtimeDir, name)), name);
  t.strictSame(childrenOf(daemon.pid), [], 'it starts no process');
  const wire = await HandoffWire.open(runtimeDir);
  const { message, fds } = await wire.ask({ allocate: { sizeBytes: 4096n, kinds: ['KIND_MAPPABLE'] } });
  for (const fd of fds) fd.close();
  const id = message.allocate?.allocation?.id ?? '';
  await wire.ask({ free: { allocation: { id } } });
  const { getStatus } = (await wire.ask({ getStatus: {} })).message;
  t.match(getStatus, {
    ready: true,
    front: { present: false, restarts: 0 },
    counts: { ...NOTHING, sessions: 1 },
  });
  wire.close();
  t.same(await daemon.stop(), { code: 0, signal: null });
});
