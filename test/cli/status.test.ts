/**
 * vkmemctl status: for members of the daemon's group too; with a device, with a lost device, and without a
 * daemon or its front.
 */
import { chmodSync } from 'node:fs';
import t from 'tap';
import { startFakeDaemon } from '../client/fake-daemon.js';
import { allocate, loseDevice, onFake, PAGE, release, stillServes, wireKinds } from '../faults/support.js';
import { asUser } from '../support/as-user.js';
import { startDaemon, temporaryFolder } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { noOtherUser, OTHER_UID } from '../support/uid.js';
import { parsed, vkmemctl } from './support.js';

const PROGRAM = '../../../client/typescript/bin/vkmemctl.js';

t.test('status shows the daemon, its device and its use', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const wire = await HandoffWire.open(runtimeDir);
  await wire.ask({ allocate: { sizeBytes: 65_536n, kinds: wireKinds('MAPPABLE') } });
  const { code, stdout, stderr } = await vkmemctl(runtimeDir, 'status');
  t.match([code, stderr], [0, '']);
  t.match(
    stdout,
    /^vkmemd \d+\.\d+\.\d+ is ready\nDevice llvmpipe .*\n1 session, 0 grants, 1 live allocation, 0 draining\nFront present for \d+[smhd], 0 restarts\n/,
  );
  t.match(
    stdout,
    /\nHEAP +SIZE +AVAILABLE +LIVE +DRAINING +PRESSURE\n +0 +\S+ GiB +.* 64 KiB +0 B +NORMAL\n$/,
  );
  t.match(parsed(await vkmemctl(runtimeDir, 'status', '--json')), {
    ready: true,
    reasons: [],
    version: /^\d+\.\d+\.\d+$/,
    incarnation: wire.welcome.incarnation,
    devices: [{ name: /llvmpipe/, type: 'CPU' }],
    heaps: [{ heapIndex: 0, liveBytes: 65_536, drainingBytes: 0, pressure: 'NORMAL' }],
    counts: { sessions: 1, allocations: 1, drainingAllocations: 0, grants: 0 },
    warnings: [],
    startedAt: /^\d{4}-\d\d-\d\dT/,
    front: { present: true, since: /^\d{4}-\d\d-\d\dT/, restarts: 0 },
  });
  wire.close();
});

t.test("a member of the daemon's group may run status", { skip: noOtherUser ?? false }, async (t) => {
  const { runtimeDir } = await startDaemon(t);
  chmodSync(runtimeDir, 0o755);
  const member = { uid: OTHER_UID, gid: OTHER_UID, groups: [process.getgid?.() ?? 0] };
  const args = ['--runtime-dir', runtimeDir, 'status', '--json'];
  t.match(await asUser(member, PROGRAM, args), { ready: true, counts: { sessions: 0 } });
  await t.rejects(
    asUser({ ...member, groups: [] }, PROGRAM, args),
    /ended with 1/,
    'the socket is closed to other users',
  );
});

t.test('status reports a lost device and a missing daemon', async (t) => {
  await onFake(t, [], async (host) => {
    const wire = await host.session();
    const retained = await allocate(wire, { sizeBytes: PAGE, kinds: wireKinds('MAPPABLE') });
    await loseDevice(host, 'fail vkCreateDevice * VK_ERROR_INITIALIZATION_FAILED');
    const { code, stdout } = await vkmemctl(host.runtimeDir, 'status');
    t.equal(code, 1);
    t.match(stdout, /^vkmemd \S+ is not ready: DEVICE_LOST: .*\nDevice /);
    const reported = await vkmemctl(host.runtimeDir, 'status', '--json');
    t.match(
      [reported.code, parsed(reported)],
      [1, { ready: false, reasons: [{ code: 'DEVICE_LOST' }], counts: { allocations: 1 } }],
    );
    host.layer.script();
    await stillServes(host);
    t.match(parsed(await vkmemctl(host.runtimeDir, 'status', '--json')), { ready: true, reasons: [] });
    await release(retained);
  });
  const nobody = await vkmemctl(temporaryFolder(t), 'status', '--json');
  t.match([nobody.code, parsed(nobody)], [69, { error: { code: 'UNAVAILABLE' } }]);
});

t.test('status of a daemon whose front is away, by the handoff socket', async (t) => {
  const since = { seconds: BigInt(Math.floor(Date.now() / 1000)) - 7200n, nanos: 0 };
  const problem = (code: string) => ({ code, message: `${code} was found.`, next: 'Act.', since });
  let ready = true;
  let present = false;
  const { runtimeDir } = startFakeDaemon(t, ({ sequence, getStatus }) => {
    if (!getStatus) throw new Error('another request than GetStatus');
    const getStatusAnswer = {
      ready,
      reasons: ready ? [] : [problem('DEVICE_LOST')],
      warnings: [problem('POLICY_INVALID')],
      front: { present, since, restarts: 3 },
      counts: { sessions: 2, grants: 1, allocations: 4 },
      daemonVersion: '9.9.9',
      incarnation: 'fake',
      startedAt: since,
    };
    return [{ message: { sequence, getStatus: getStatusAnswer } }];
  });
  const away = await vkmemctl(runtimeDir, 'status');
  t.strictSame([away.code, away.stderr], [0, '']);
  t.equal(
    away.stdout,
    [
      'vkmemd 9.9.9 is ready',
      '2 sessions, 1 grant, 4 live allocations, 0 draining',
      'Warning for 2h: POLICY_INVALID: POLICY_INVALID was found.',
      'Front away for 2h, 3 restarts: the control and admin sockets do not answer',
      '',
    ].join('\n'),
  );
  ready = false;
  const object = await vkmemctl(runtimeDir, 'status', '--json');
  t.match(
    [object.code, parsed(object)],
    [
      1,
      {
        ready: false,
        reasons: [{ code: 'DEVICE_LOST', message: /found/, next: 'Act.' }],
        warnings: [{ code: 'POLICY_INVALID', since: /^\d{4}-.*Z$/ }],
        version: '9.9.9',
        front: { present: false, since: /^\d{4}-.*Z$/, restarts: 3 },
        devices: null,
        heaps: null,
        counts: { sessions: 2, fds: 0 },
      },
    ],
  );
  // The front is present, but the control socket cannot be reached.
  ready = true;
  present = true;
  const silent = await vkmemctl(runtimeDir, 'status');
  t.equal(silent.code, 0);
  t.match(
    silent.stdout,
    /^vkmemd 9\.9\.9 is ready\n2 sessions.*\nWarning .*\nFront present for 2h, 3 restarts\n$/,
  );
  t.match(silent.stderr, /^vkmemctl: the control socket: UNAVAILABLE: /);
});
