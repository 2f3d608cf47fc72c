/**
 * The package, installed: on a machine that has nothing of it, dpkg gives sockets that systemd listens on,
 * and the first member of the group vkmem who connects has the service started. An upgrade loses no memory;
 * after removal nothing runs.
 */
import { equal } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import t from 'tap';
import { Machine, noMachine } from './machine.js';
import { builtPackage, noPackage } from './support.js';

const FILE = '/opt/vkmemd.deb';
const SOCKETS = ['vkmemd-handoff.socket', 'vkmemd-control.socket', 'vkmemd-admin.socket'];
/** Fills, or compares, what the name stands for, by the library that the package installs. */
const PATTERN = `
  import { connect } from '/usr/lib/vkmemd/client/typescript/dist/index.js';
  const [what, name] = process.argv.slice(1);
  const client = await connect();
  const memory = await client.claim({ name, access: what === 'fill' ? 'rw' : 'ro' });
  const { bytes } = memory.map();
  const wanted = (at) => (at * 7 + 3) & 0xff;
  if (what === 'fill') for (let at = 0; at < bytes.length; at += 1) bytes[at] = wanted(at);
  const wrong = bytes.findIndex((byte, at) => byte !== wanted(at));
  console.log(JSON.stringify({ bytes: bytes.length, wrong }));
  await client.close();`;

/** Why the package cannot be installed on a machine like this one; false where it can. */
function notInstallable(): string | false {
  const [major] = process.versions.node.split('.');
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin' };
  try {
    const version = execFileSync('node', ['--version'], { encoding: 'utf8', env }).trim();
    return !version.startsWith(`v${major}.`) && `services would have Node.js ${version}, not ${major}`;
  } catch {
    return 'there is no Node.js in /usr/local/bin or /usr/bin, where services look for it';
  }
}

const skip = noPackage || noMachine() || notInstallable();

t.test('on a clean machine', { skip, timeout: 300_000 }, async (t) => {
  const machine = await Machine.boot(builtPackage());
  t.teardown(() => machine.end());
  /** Runs what must go well. @returns its standard output. */
  const done = (...command: string[]): string => {
    const { status, stdout, stderr } = machine.run(...command);
    equal(status, 0, `${command.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  };
  // A Node.js that dpkg does not know of is as good, and takes its word for it.
  const known = machine.run('dpkg-query', '--show', 'nodejs').status === 0;
  if (!known) t.comment('Node.js is no Debian package here: dpkg is told not to ask for it');
  const install = known ? ['dpkg', '-i', FILE] : ['dpkg', '--force-depends', '-i', FILE];
  const state = (unit: string) => machine.run('systemctl', 'is-active', unit).stdout.trim();
  const property = (name: string) =>
    done('systemctl', 'show', '--value', '-p', name, 'vkmemd.service').trim();
  const memberRuns = (...command: string[]) => machine.runAs('worker', ...command);
  const member = (...args: string[]) => memberRuns('vkmemctl', ...args, '--json');
  const pattern = (what: string): { bytes: number; wrong: number } => {
    const { stdout, stderr } = memberRuns('node', '--input-type=module', '--eval', PATTERN, what, 'frames');
    equal(stderr, '');
    return JSON.parse(stdout);
  };

  await t.test('where no systemd runs', async (t) => {
    const without = (...command: string[]) =>
      done('unshare', '--mount', 'sh', '-c', 'mount -t tmpfs tmpfs /run && exec "$@"', 'sh', ...command);
    without(...install);
    t.equal(
      done('systemctl', 'is-enabled', ...SOCKETS),
      'enabled\n'.repeat(3),
      'it is enabled for when one does',
    );
    done('getent', 'group', 'vkmem');
    without('dpkg', '--purge', 'vkmemd');
    t.not(machine.run('test', '-e', '/usr/lib/vkmemd').status, 0, 'and can be removed');
  });

  await t.test('installed', async (t) => {
    done('systemctl', 'daemon-reload');
    done(...install);
    for (const socket of SOCKETS) t.equal(state(socket), 'active', socket);
    t.equal(state('vkmemd.service'), 'inactive', 'nobody has asked for anything yet');
    done('useradd', '--groups', 'vkmem', 'worker');
    done('useradd', 'outsider');
  });

  await t.test('a member of the group', async (t) => {
    const { status, stdout, stderr } = member('status');
    t.equal(status, 0, stderr);
    t.match(JSON.parse(stdout), { ready: true, devices: [{}] });
    t.equal(state('vkmemd.service'), 'active', 'it was started by who connected');
    t.equal(property('User'), 'vkmemd');
    const made = member('alloc', 'frames', '--size', '4M');
    t.equal(made.status, 0, made.stderr);
    t.match(pattern('fill'), { bytes: 4 << 20, wrong: -1 });
  });

  await t.test('a user outside the group', async (t) => {
    const { status, stderr } = machine.runAs('outsider', 'vkmemctl', 'status');
    t.equal(status, 1);
    t.match(stderr, /^vkmemctl: NOT_PERMITTED: .*control\.sock/);
  });

  await t.test('an upgrade', async (t) => {
    const before = { pid: property('MainPID'), list: JSON.parse(member('ls').stdout) };
    t.equal(property('NFileDescriptorStore'), '1', 'the memory is in the fd store');
    done(...install);
    const list = JSON.parse(member('ls').stdout);
    t.not(property('MainPID'), before.pid, 'the service is another process');
    t.equal(list.allocations.length, 1);
    t.strictSame(
      list.allocations.map(({ id, state }: { id: string; state: string }) => [id, state]),
      before.list.allocations.map(({ id, state }: { id: string; state: string }) => [id, state]),
    );
    t.match(pattern('compare'), { bytes: 4 << 20, wrong: -1 }, 'no byte is lost');
  });

  await t.test('what an administrator has disabled', async (t) => {
    done('systemctl', 'disable', 'vkmemd-admin.socket');
    done(...install);
    const enabled = machine.run('systemctl', 'is-enabled', ...SOCKETS).stdout;
    t.equal(enabled, 'enabled\nenabled\ndisabled\n', 'stays so');
  });

  await t.test('a policy that sizes the units', async (t) => {
    const sizes = () => [property('FileDescriptorStoreMax'), property('LimitNOFILE')];
    const inForce = (policy: string) => {
      done('sh', '-c', `echo '${policy}' > /etc/vkmemd/conf.d/sizes.toml; systemctl daemon-reload`);
      return sizes();
    };
    const shipped = sizes();
    t.strictSame(shipped, ['16384', '131072']);
    t.strictSame(inForce('limits = { stored_fds = 9000, sessions = 50_000 }'), ['16384', '200704']);
    done('systemctl', 'restart', 'vkmemd.service');
    t.match(pattern('compare'), { bytes: 4 << 20, wrong: -1 });
    t.strictSame(inForce('limits = { sessions = 9e9 }'), shipped, 'with a fault they are as they were');
    t.strictSame(inForce('limits = { queued_messages = 100 }'), shipped);
  });

  await t.test('removed', async (t) => {
    done('sh', '-c', 'echo overcommit = true > /etc/vkmemd/vkmemd.toml');
    done('dpkg', '--remove', 'vkmemd');
    t.equal(machine.run('pgrep', '--uid', 'vkmemd').status, 1, 'nothing runs');
    for (const unit of ['vkmemd.service', ...SOCKETS]) t.equal(state(unit), 'inactive', unit);
    for (const path of ['/run/vkmemd', '/usr/lib/vkmemd', '/usr/bin/vkmemd']) {
      t.equal(machine.run('test', '-e', path).status, 1, `${path} is gone`);
    }
    done('test', '-e', '/etc/vkmemd/vkmemd.toml');
    done('dpkg', '--purge', 'vkmemd');
    t.equal(machine.run('test', '-e', '/etc/vkmemd').status, 1, 'the policy goes with what is purged');
    const links = done('find', '/etc/systemd/system', '/var/lib/systemd', '-name', 'vkmemd*');
    t.equal(links, '', 'and so does what was enabled');
  });
});
