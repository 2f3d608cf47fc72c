/**
 * The systemd unit of a peer: parsing /proc/PID/cgroup with any contents, verification of the result, and a
 * rule for a unit against a real daemon and a real control group, where the machine allows one to be created.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { hasExited, Listener, type OwnedFd, type PeerIdentity } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { makeIdentity } from 'vkmemd/dist/policy/identity.js';
import { Policy } from 'vkmemd/dist/policy/policy.js';
import { identityOf, unitOf, unitOfPath } from 'vkmemd/dist/policy/unit.js';
import { UnitPattern } from 'vkmemd/dist/policy/unit-pattern.js';
import { asUser } from '../support/as-user.js';
import { controlGroup, MOVED } from '../support/control-group.js';
import { startDaemon, temporaryFolder } from '../support/daemon.js';
import { noOtherUser, OTHER_UID } from '../support/uid.js';

t.test("the unit of a control group's path", async (t) => {
  const long = `${'x'.repeat(248)}.service`;
  for (const [path, unit] of [
    ['/system.slice/sshd.service', 'sshd.service'],
    ['/sshd.service', 'sshd.service'],
    ['/init.scope', 'init.scope'],
    ['/user.slice/user-1000.slice/session-3.scope', 'session-3.scope'],
    ['/user.slice/user-1000.slice/user@1000.service/app.slice/evil.service', 'user@1000.service'],
    ['/user.slice/user-1000.slice/user@1000.service/system.slice/sshd.service', 'user@1000.service'],
    ['/system.slice/system-worker.slice/worker@7.service/sshd.service', 'worker@7.service'],
    ['/machine.slice/machine-a\\x2db.scope/system.slice/sshd.service', 'machine-a\\x2db.scope'],
    ['/system.slice/docker-0123.scope', 'docker-0123.scope'],
    ['/system.slice/_cpu.service', 'cpu.service'],
    ['/-.slice/a.service', 'a.service'],
    [`/${long}`, undefined],
    [`/${long.slice(1)}`, long.slice(1)],
    ['/', undefined],
    ['', undefined],
    ['/system.slice', undefined],
    ['/system.slice/', undefined],
    ['/user.slice/user-1000.slice', undefined],
    ['/docker/0123/system.slice/sshd.service', undefined],
    ['/lxc/system.slice/sshd.service', undefined],
    ['/../sshd.service', undefined],
    ['/../../system.slice/sshd.service', undefined],
    ['/./sshd.service', undefined],
    ['sshd.service', undefined],
    ['/system.slice/sshd.service (deleted)', undefined],
    ['/system.slice/worker@.service', undefined],
    ['/system.slice/@7.service', undefined],
    ['/system.slice/.service', undefined],
    ['/system.slice/sshd.service\r', undefined],
    ['/system.slice/ssh d.service', undefined],
    ['/system.slice/sshd.servicé', undefined],
    ['/system.slice/sshd.service.d', undefined],
    ['/system.slice/sshd', undefined],
    ['/ .slice/sshd.service', undefined],
  ] as const) {
    t.equal(unitOfPath(path), unit, JSON.stringify(path));
  }
});

t.test('the unit in the text of /proc/PID/cgroup', async (t) => {
  const v1 = '12:cpu,cpuacct:/sshd.service\n2:name=other:/sshd.service\n';
  for (const [what, text, unit] of [
    ['the unified hierarchy', '0::/system.slice/a.service\n', 'a.service'],
    ['without a last newline', '0::/system.slice/a.service', 'a.service'],
    [
      "systemd's own hierarchy of version 1",
      `${v1}1:name=systemd:/system.slice/a.service\n0::/\n`,
      'a.service',
    ],
    ['both', '1:name=systemd:/system.slice/a.service\n0::/system.slice/a.service\n', 'a.service'],
    ['both, with different paths', '1:name=systemd:/a.service\n0::/b.service\n', undefined],
    ['only controllers', v1, undefined],
    ['no control groups', '', undefined],
    ['the root', '0::/\n', undefined],
    ['a path that looks like a line', '0::/x\\n0::/sshd.service\n', undefined],
    ['colons in a path', '0::/a:0::/sshd.service\n', undefined],
    ['another number', '00::/sshd.service\n1::/sshd.service\n', undefined],
    ['a name inside a name', '1:name=systemd2:/sshd.service\n1:xname=systemd:/sshd.service\n', undefined],
    ["a controller named like systemd's", '3:cpu,name=systemd:/sshd.service\n', undefined],
    ['garbage', '\0\0\u{10ffff}:::\n::::/sshd.service', undefined],
  ] as const) {
    t.equal(unitOf(text), unit, what);
  }
});

t.test('unit patterns match whole names', async (t) => {
  const fits = (pattern: string, unit: string) => UnitPattern.of(pattern)?.test(unit);
  t.equal(fits('a.service', 'a.service'), true);
  t.equal(fits('a.service', 'axservice'), false, 'a dot matches only a dot');
  t.equal(fits('*', 'a.service'), true);
  t.equal(fits('w**@?.*', 'worker@7.scope'), true);
  t.equal(
    fits('machine-a\\x2d*.scope', 'machine-a\\x2db.scope'),
    true,
    'a backslash matches only a backslash',
  );
  t.equal(UnitPattern.of('(a|b).service'), undefined);
  for (const never of ['sshd', '*.conf', '@.service', 'a@.service', '.service', '*x']) {
    t.equal(UnitPattern.of(never)?.neverFits, true, never);
  }
  for (const may of ['*', 'ssh*', '*.service', '*vice', 'a?', 'sshd.service', 'a@b.scope', '*.scope']) {
    t.equal(UnitPattern.of(may)?.neverFits, false, may);
  }
});

const asking = new Policy({ rules: [{ where: 'test', match: { units: [] }, gives: {} }] });

/** A program that connects, prints a line, and stays until its standard input ends. */
const CONNECT = `import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); sys.stdin.read()`;

/**
 * The next peer that connects to a socket of the test. Its pidfd, where the kernel has one, belongs to the
 * test.
 */
async function peerOf(t: Test, connect: (path: string) => void): Promise<PeerIdentity> {
  const path = join(temporaryFolder(t), 'socket');
  return new Promise<PeerIdentity>((resolve, reject) => {
    const connection = (fd: OwnedFd, peer: PeerIdentity) => {
      fd.close();
      listener.close();
      t.teardown(() => peer.pidfd?.close());
      resolve(peer);
    };
    const listener = Listener.listen({ type: 'stream', path }, { connection, error: reject });
    connect(path);
  });
}

t.test('the unit of a process that has ended, or whose pid is reused, is unknown', async (t) => {
  const early = await peerOf(t, (path) => {
    // It has ended before its connection is accepted.
    spawnSync('python3', ['-c', CONNECT, path], { input: '' });
  });
  t.equal(identityOf(early, asking).unit, undefined, 'its unit is unknown');
  if (early.pidfd) t.equal(hasExited(early.pidfd), true);

  const group = controlGroup(t);
  const start = (path: string) => {
    const command = typeof group === 'string' ? [] : ['sh', '-c', MOVED, group.folder];
    const [program = '', ...args] = [...command, 'python3', '-c', CONNECT, path];
    return spawn(program, args, { stdio: ['pipe', 'ignore', 'inherit'] });
  };
  const children: ReturnType<typeof start>[] = [];
  const connected = () => peerOf(t, (path) => children.push(start(path)));
  const [first, second] = [await connected(), await connected()];
  if (!first.pidfd || !second.pidfd) {
    for (const child of children) child.kill('SIGKILL');
    t.pass('the units of running processes are known', { skip: 'this kernel makes no pidfd of a peer' });
    return;
  }
  t.equal(hasExited(first.pidfd), false);
  const { pidfd: _pidfd, ...seen } = first;
  const identity = makeIdentity(seen);
  t.strictSame(
    identityOf(first, new Policy({ rules: [] })),
    identity,
    'nothing is read unless a rule names a unit',
  );
  const unit = typeof group === 'string' ? unitOf(readFileSync('/proc/self/cgroup', 'utf8')) : group.unit;
  t.strictSame(identityOf(first, asking), { ...identity, unit });
  t.equal(identityOf({ ...first, pidfd: undefined }, asking).unit, undefined, 'unknown without a pidfd');
  t.equal(
    identityOf({ ...first, pid: 0 }, asking).unit,
    undefined,
    'unknown for a process outside our pid namespace',
  );

  children[0]?.stdin.end();
  await once(children[0] as NonNullable<(typeof children)[0]>, 'close');
  t.equal(hasExited(first.pidfd), true);
  t.equal(identityOf(second, asking).unit, unit);
  t.equal(identityOf({ ...first, pid: second.pid }, asking).unit, undefined, 'unknown for a reused pid');
  children[1]?.stdin.end();
  await once(children[1] as NonNullable<(typeof children)[0]>, 'close');
});

t.test('a rule for a unit admits the processes of that unit', { skip: noOtherUser ?? false }, async (t) => {
  const group = controlGroup(t);
  if (typeof group === 'string') {
    t.pass('the daemon admits a unit', { skip: group });
    return;
  }
  const policy = `[[rule]]\nunit = "${group.unit}"\nconnect = true\nlifetimes = "NAMED"\n`;
  const { runtimeDir } = await startDaemon(t, { policy });
  chmodSync(runtimeDir, 0o755);
  for (const socket of ['handoff.sock', 'control.sock']) chmodSync(join(runtimeDir, socket), 0o666);
  const who = { uid: OTHER_UID, gid: OTHER_UID, groups: [] };
  const inside = (folder: string) =>
    asUser(who, 'probe-policy.js', [runtimeDir], ['sh', '-c', MOVED, folder]);
  const served = {
    hello: 'served',
    session: 'NOT_PERMITTED',
    named: 'served',
    list: 'served',
    reload: 'NOT_PERMITTED',
  };
  const refused = { hello: 'NOT_PERMITTED', closed: true, list: 'disconnected', reload: 'disconnected' };
  t.strictSame(await inside(group.folder), served, 'on both planes');
  const below = join(group.folder, 'sshd.service');
  mkdirSync(below);
  t.strictSame(await inside(below), served, "also from control groups below the unit's");
  rmdirSync(below);
  if (unitOf(readFileSync('/proc/self/cgroup', 'utf8')) === group.unit) return;
  t.strictSame(await asUser(who, 'probe-policy.js', [runtimeDir]), refused, 'the same user outside the unit');
});
