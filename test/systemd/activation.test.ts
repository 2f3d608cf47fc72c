/**
 * Socket activation: a daemon serves on the sockets that it inherits, whose files it does not own, and
 * clients that connect while no daemon runs are served by the next one.
 */
import { chmodSync, chownSync, existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { asUser } from '../support/as-user.js';
import { ControlWire } from '../support/control-wire.js';
import { NOTHING } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { noOtherUser } from '../support/uid.js';
import { BOTH, type PassedSocket, SocketManager } from './socket-manager.js';

const countsOf = async (folder: string) => {
  const control = new ControlWire(folder);
  try {
    return { ...(await control.budget()).counts };
  } finally {
    control.close();
  }
};

t.test('the daemon serves on inherited sockets', async (t) => {
  const manager = new SocketManager(t);
  await manager.listening();
  const line = await manager.start();
  const paths = BOTH.map(({ file }) => join(manager.folder, file));
  t.ok(line.includes(`sockets ${paths.join(' ')} `), 'the start line has their paths');
  const wire = await HandoffWire.open(manager.folder);
  const { message } = await wire.ask({ allocate: { sizeBytes: 4096n, kinds: ['KIND_MAPPABLE'] } });
  t.ok(message.allocate?.allocation);
  t.match(await countsOf(manager.folder), { sessions: 1, allocations: 1 });
  const environment = readFileSync(`/proc/${manager.pid}/environ`, 'utf8');
  t.match(environment, 'LISTEN_FDS=2', 'it was started with LISTEN_FDS');
  wire.close();
  t.strictSame(await manager.stop(), 0);
  for (const path of paths) t.ok(statSync(path).isSocket(), `${path} is not removed by the daemon`);
  t.notOk(existsSync(join(manager.state, 'handoff.sock')), 'it created no other');
});

t.test('a client that connects while no daemon runs is served by the next', async (t) => {
  const manager = new SocketManager(t);
  await manager.listening();
  const early = HandoffWire.open(manager.folder);
  const earlyCall = countsOf(manager.folder);
  await manager.start();
  const first = await early;
  t.match(await earlyCall, { allocations: 0 }, 'a waiting call is answered');
  t.equal(await manager.stop(), 0);
  await first.closed;

  const between = HandoffWire.open(manager.folder);
  const betweenCall = countsOf(manager.folder);
  await manager.start();
  const second = await between;
  t.match(await betweenCall, { allocations: 0 });
  t.equal(await manager.stop('SIGKILL'), -9);
  await second.closed;

  const afterKill = HandoffWire.open(manager.folder);
  await manager.start();
  (await afterKill).close();
  for (let tries = 0; tries < 100 && (await countsOf(manager.folder)).sessions > 0; tries += 1);
  t.strictSame(await countsOf(manager.folder), NOTHING, 'nothing is left');
  t.equal(await manager.stop(), 0);
});

t.test('one of two sockets, and unknown fds', async (t) => {
  const [handoff] = BOTH as [PassedSocket];
  const unknown = { name: 'a4d0f4d8', type: 'file', file: 'none' } as const;
  const manager = new SocketManager(t, [unknown, handoff]);
  await manager.listening();
  await manager.start();
  t.match(manager.log, /"fdName":"a4d0f4d8".*unknown name: closed/);
  (await HandoffWire.open(manager.folder)).close();
  t.match(await countsOf(manager.state), { allocations: 0 }, 'it created the other one itself');
  t.equal(await manager.stop(), 0);
  t.ok(existsSync(join(manager.folder, 'handoff.sock')));
  t.notOk(existsSync(join(manager.state, 'control.sock')), 'which it removes');
});

t.test('invalid inherited sockets are rejected', async (t) => {
  const cases: [string, PassedSocket[], RegExp][] = [
    [
      'a stream for handoff',
      [{ name: 'handoff', type: 'stream', file: 'a' }],
      /handoff .*ListenSequentialPacket=/,
    ],
    ['a datagram socket', [{ name: 'control', type: 'dgram', file: 'a' }], /control .*ListenStream=/],
    ['one that does not listen', [{ name: 'control', type: 'idle', file: 'a' }], /control .*Accept=no/],
    ['no socket', [{ name: 'admin', type: 'file', file: 'a' }], /admin .*is not a socket.*ListenStream=/],
    ['two with the same name', BOTH.map((socket) => ({ ...socket, name: 'control' })), /passed 2 times/],
  ];
  for (const [what, sockets, expected] of cases) {
    const manager = new SocketManager(t, sockets);
    await manager.listening();
    const message = new RegExp(`ended with 78: .*${expected.source}`, 's');
    await t.rejects(manager.start(), { message }, what);
  }
});

t.test("members of a socket's group are tenants", { skip: noOtherUser ?? false }, async (t) => {
  const [user, ofSockets] = [64_200, 64_201];
  const manager = new SocketManager(t);
  await manager.listening();
  chmodSync(manager.folder, 0o755);
  for (const path of BOTH.map(({ file }) => join(manager.folder, file))) {
    chownSync(path, 0, ofSockets);
    chmodSync(path, 0o666);
  }
  await manager.start();
  const visit = (gid: number, ...groups: number[]) =>
    asUser({ uid: user, gid, groups }, 'probe-policy.js', [manager.folder]);
  const tenant = { hello: 'served', session: 'served', reload: 'NOT_PERMITTED' };
  t.match(await visit(ofSockets), tenant, 'of the group of the socket files');
  t.match(await visit(user, ofSockets), tenant, 'by a supplementary group');
  t.match(await visit(user), { hello: 'NOT_PERMITTED', list: 'disconnected' }, 'not a member');
  t.match(await visit(user, 0), { hello: 'NOT_PERMITTED' }, "the daemon's own group has no meaning here");
  t.equal(await manager.stop(), 0);
});
