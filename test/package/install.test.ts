/**
 * The installed package: on a clean machine, dpkg installs sockets on which systemd listens, and the first
 * member of the group vkmem that connects starts the service. An upgrade loses no memory; after removal
 * nothing runs.
 */
import { equal } from 'node:assert/strict';
import t from 'tap';
import { Machine, noMachine } from './machine.js';
import { builtPackage, noPackage } from './support.js';

const FILE = '/opt/vkmemd.deb';
const SOCKETS = ['vkmemd-handoff.socket', 'vkmemd-control.socket', 'vkmemd-admin.socket'];
/** Fills, or compares, the memory of a name, through the library that the package installs. */
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

const skip = noPackage || noMachine();

t.setTimeout(900_000);

t.test('install, use, upgrade and remove on a clean machine', { skip, timeout: 300_000 }, async (t) => {
  const machine = await Machine.boot(builtPackage());
  t.teardown(() => machine.end());
  /** Runs a command that must succeed. @returns its standard output. */
  const done = (...command: string[]): string => {
    const { status, stdout, stderr } = machine.run(...command);
    equal(status, 0, `${command.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  };
  const install = ['dpkg', '-i', FILE];
  const state = (unit: string) => machine.run('systemctl', 'is-active', unit).stdout.trim();
  const property = (name: string) =>
    done('systemctl', 'show', '--value', '-p', name, 'vkmemd.service').trim();
  const memberRuns = (...command: string[]) => machine.runAs('worker', ...command);
  const member = (...args: string[]) => memberRuns('vkmemctl', ...args, '--json');
  const pattern = (what: string): { bytes: number; wrong: number } => {
    const { stdout, stderr } = memberRuns(
      '/usr/lib/vkmemd/bin/node',
      '--input-type=module',
      '--eval',
      PATTERN,
      what,
      'frames',
    );
    equal(stderr, '');
    return JSON.parse(stdout);
  };

  await t.test('installation without a running systemd', async (t) => {
    const without = (...command: string[]) =>
      done('unshare', '--mount', 'sh', '-c', 'mount -t tmpfs tmpfs /run && exec "$@"', 'sh', ...command);
    without(...install);
    t.equal(
      done('systemctl', 'is-enabled', ...SOCKETS),
      'enabled\n'.repeat(3),
      'the sockets are enabled for the next boot',
    );
    done('getent', 'group', 'vkmem');
    without('dpkg', '--purge', 'vkmemd');
    t.not(machine.run('test', '-e', '/usr/lib/vkmemd').status, 0, 'the package can be removed');
  });

  await t.test('after installation the sockets listen', async (t) => {
    done('systemctl', 'daemon-reload');
    done(...install);
    for (const socket of SOCKETS) t.equal(state(socket), 'active', socket);
    t.equal(state('vkmemd.service'), 'inactive', 'the service is not started yet');
    done('useradd', '--groups', 'vkmem', 'worker');
    done('useradd', 'outsider');
  });

  await t.test('a member of the group starts the service and gets memory', async (t) => {
    const { status, stdout, stderr } = member('status');
    t.equal(status, 0, stderr);
    t.match(JSON.parse(stdout), { ready: true, devices: [{}] });
    t.equal(state('vkmemd.service'), 'active', 'the connection started it');
    t.equal(property('User'), 'vkmemd');
    const made = member('alloc', 'frames', '--size', '4M');
    t.equal(made.status, 0, made.stderr);
    t.match(pattern('fill'), { bytes: 4 << 20, wrong: -1 });
  });

  await t.test('a user outside the group is refused', async (t) => {
    const { status, stderr } = machine.runAs('outsider', 'vkmemctl', 'status');
    t.equal(status, 1);
    t.match(stderr, /^vkmemctl: NOT_PERMITTED: .*handoff\.sock/);
  });

  await t.test('an upgrade keeps all memory', async (t) => {
    const before = { pid: property('MainPID'), list: JSON.parse(member('ls').stdout) };
    t.equal(property('NFileDescriptorStore'), '1', 'the memory is in the fd store');
    done(...install);
    const list = JSON.parse(member('ls').stdout);
    t.not(property('MainPID'), before.pid, 'the service is a new process');
    t.equal(list.allocations.length, 1);
    t.strictSame(
      list.allocations.map(({ id, state }: { id: string; state: string }) => [id, state]),
      before.list.allocations.map(({ id, state }: { id: string; state: string }) => [id, state]),
    );
    t.match(pattern('compare'), { bytes: 4 << 20, wrong: -1 }, 'no byte is lost');
  });

  await t.test('an upgrade keeps disabled units disabled', async (t) => {
    done('systemctl', 'disable', 'vkmemd-admin.socket');
    done(...install);
    const enabled = machine.run('systemctl', 'is-enabled', ...SOCKETS).stdout;
    t.equal(enabled, 'enabled\nenabled\ndisabled\n', 'the disabled socket is still disabled');
  });

  await t.test('a policy sets the limits of the units', async (t) => {
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
    t.strictSame(
      inForce('limits = { sessions = 9e9 }'),
      shipped,
      'with an invalid policy they have their defaults',
    );
    t.strictSame(inForce('limits = { queued_messages = 100 }'), shipped);
  });

  await t.test('an upgrade with a fault in the policy restarts nothing', async (t) => {
    const before = property('MainPID');
    done('sh', '-c', 'echo nonsense = true > /etc/vkmemd/conf.d/fault.toml');
    const { status, stderr } = machine.run(...install);
    t.equal(status, 0);
    t.match(stderr, /fault\.toml:1[\s\S]*systemctl restart vkmemd\.service/);
    t.equal(property('MainPID'), before, 'the service is the same process');
    done('rm', '/etc/vkmemd/conf.d/fault.toml', '/etc/vkmemd/conf.d/sizes.toml');
    done('systemctl', 'restart', 'vkmemd.service');
    t.match(pattern('compare'), { bytes: 4 << 20, wrong: -1 });
  });

  await t.test('remove and purge', async (t) => {
    done('sh', '-c', 'echo overcommit = true > /etc/vkmemd/vkmemd.toml');
    t.match(done('dpkg', '--remove', 'vkmemd'), /releases this memory:[\s\S]*frames[\s\S]*1 allocation, 4/);
    t.equal(machine.run('pgrep', '--uid', 'vkmemd').status, 1, 'no process runs');
    for (const unit of ['vkmemd.service', ...SOCKETS]) t.equal(state(unit), 'inactive', unit);
    for (const path of ['/run/vkmemd', '/usr/lib/vkmemd', '/usr/bin/vkmemd']) {
      t.equal(machine.run('test', '-e', path).status, 1, `${path} is removed`);
    }
    done('test', '-e', '/etc/vkmemd/vkmemd.toml');
    done('dpkg', '--purge', 'vkmemd');
    t.equal(machine.run('test', '-e', '/etc/vkmemd').status, 1, 'purge removes the policy');
    const links = done('find', '/etc/systemd/system', '/var/lib/systemd', '-name', 'vkmemd*');
    t.equal(links, '', 'and the enabled links');
  });
});
