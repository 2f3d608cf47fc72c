/** vkmemctl doctor: with a daemon, without one, and with one that lacks a socket. */
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  assertNoLeaks,
  plainEnvironment,
  plainNode,
  startDaemon,
  temporaryFolder,
} from '../support/daemon.js';
import { noOtherUser, OTHER_UID, openToOthers } from '../support/uid.js';
import { parsed, program, vkmemctl } from './support.js';

const CHECKS = [
  'runtime folder',
  'handoff socket',
  'control socket',
  'device',
  'memory left',
  'mappable memory',
  'round trip',
];

t.test('doctor reports all checks as ok with a running daemon', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const { code, stdout, stderr } = await vkmemctl(runtimeDir, 'doctor');
  t.same({ code, stderr }, { code: 0, stderr: '' });
  t.equal(stdout.match(/^ok {6}/gm)?.length, CHECKS.length);
  t.match(stdout, /^KIND +RUNG +HOW, OR WHY NOT\nMAPPABLE +VERIFIED +\S/m);
  t.ok(Math.max(...stdout.split('\n').map((line) => line.length)) <= 100, 'it fits 100 columns');

  const result = parsed(await vkmemctl(runtimeDir, 'doctor', '--json'));
  t.same(Object.keys(result), ['ok', 'checks', 'devices']);
  t.equal(result.ok, true);
  t.same(
    result.checks.map((check: { name: string; ok: boolean; next: string }) => [
      check.name,
      check.ok,
      check.next,
    ]),
    CHECKS.map((name) => [name, true, '']),
  );
  const [device] = result.devices;
  t.match(device, {
    name: /llvmpipe/,
    type: 'CPU',
    driver: /llvmpipe/,
    driverVersion: /Mesa/,
    deviceUuid: /^[0-9a-f-]{36}$/,
    driverUuid: /^[0-9a-f-]{36}$/,
    budgetSource: /^(EXT|ESTIMATED)$/,
  });
  t.match(device.heaps[0], { index: 0, flags: ['DEVICE_LOCAL'] });
  t.type(device.heaps[0].sizeBytes, 'number');
  t.ok(device.memoryTypes[0].flags.includes('HOST_VISIBLE'));
  t.match(device.kinds.MAPPABLE, { rung: 'VERIFIED', via: /\S/ });
  t.match(device.kinds.RDMA_ADDRESS, { rung: 'UNSUPPORTED', reason: /\S/, missing: String });
  t.match(device.limits, {
    maxMemoryAllocationCount: Number,
    maxMemoryAllocationSize: Number,
    allocations: 0,
  });
  await assertNoLeaks(t, runtimeDir);
});

t.test('doctor reports every check as failed without a daemon', async (t) => {
  const folder = join(temporaryFolder(t), 'missing');
  const { code, stdout } = await vkmemctl(folder, 'doctor');
  t.equal(code, 69, 'the exit code is that of the other commands');
  t.equal(
    stdout.match(/^FAILED {2}/gm)?.length,
    CHECKS.length,
    'a check that was not made is not reported as ok',
  );
  t.match(stdout, /Start vkmemd/);
  const result = parsed(await vkmemctl(folder, 'doctor', '--json'));
  t.match(result, { ok: false, devices: [] });
  t.match(result.checks[0], { ok: false, detail: /The folder .* does not exist/, next: /Start vkmemd/ });
  t.match(result.checks.at(-1), { ok: false, detail: /not tried/ });
});

t.test('doctor states why a user may not connect', { skip: noOtherUser ?? false }, async (t) => {
  const { runtimeDir } = await startDaemon(t);
  chmodSync(runtimeDir, 0o755);
  const owned = (gid: number) => {
    for (const socket of ['handoff.sock', 'control.sock']) chownSync(join(runtimeDir, socket), 0, gid);
  };
  const asked = () => {
    const [node, args] = plainNode([program, '--runtime-dir', runtimeDir, 'doctor', '--json']);
    const user = { uid: OTHER_UID, gid: OTHER_UID };
    const { status, stdout } = spawnSync(node, args, { ...user, env: plainEnvironment(), encoding: 'utf8' });
    const [, handoff, control] = JSON.parse(stdout).checks;
    return { status, handoff, control };
  };
  const detail = /NOT_PERMITTED: .*EACCES.* open to the daemon's user and group/;
  const shut = (next: RegExp, message: string) => {
    const mode = { detail, next };
    t.match(asked(), { status: 1, handoff: mode, control: mode }, message);
  };
  shut(/a group other than root: SocketGroup=/, 'sockets of the group root');
  owned(1);
  shut(
    /add you to the socket's group daemon \(gid 1\): usermod -aG daemon USER, then log in again/,
    'another group',
  );
  owned(54_321);
  shut(/the socket's group with the gid 54321\./, 'a group without a name');
  chmodSync(runtimeDir, 0o700);
  const folder = { detail: /A folder of .* cannot be entered/, next: /a runtime folder that you may enter/ };
  t.match(asked(), { status: 1, handoff: folder, control: folder }, 'a folder that it cannot enter');
  openToOthers(runtimeDir);
  const policy = {
    detail: /NOT_PERMITTED: The policy does not permit/,
    next: /^Ask the operator to permit it in the policy/,
  };
  t.match(asked(), { status: 1, handoff: policy, control: policy }, 'the policy');
});

t.test('doctor distinguishes a missing socket from a missing daemon', async (t) => {
  const { runtimeDir } = await startDaemon(t, { unchecked: true });
  rmSync(join(runtimeDir, 'handoff.sock'));
  const ended = await vkmemctl(runtimeDir, 'doctor', '--json');
  t.equal(ended.code, 1, 'the daemon answered on the other socket');
  const result = parsed(ended);
  t.same(
    result.checks.map((check: { ok: boolean }) => check.ok),
    [true, false, true, true, true, true, false],
  );
});
