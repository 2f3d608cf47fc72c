/**
 * The installed service under a real systemd and a real kernel: it is as confined as its unit and its AppArmor
 * profile say, and keeps memory when it is killed. With the drop-in of docs/kinds.md for software drivers.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import t from 'tap';
import {
  eventually,
  frontOf,
  must,
  property,
  ready,
  restart,
  run,
  SERVICE,
  session,
  status,
  systemdVersion,
} from './installed.js';

const SIZE = 1 << 20;
/** What the driver makes dma-bufs of: a device of the group kvm. */
const DROP_IN = '[Service]\nDeviceAllow=/dev/udmabuf rw\nSupplementaryGroups=kvm\n';

const seconds = (from: string, to: string): string =>
  ((Number(property(to)) - Number(property(from))) / 1e6).toFixed(1);

const label = (pid: number | string): string => readFileSync(`/proc/${pid}/attr/current`, 'utf8').trim();

t.test('it starts, and offers what the driver can do', async (t) => {
  mkdirSync(`/etc/systemd/system/${SERVICE}.d`, { recursive: true });
  writeFileSync(`/etc/systemd/system/${SERVICE}.d/udmabuf.conf`, DROP_IN);
  must('systemctl', 'daemon-reload');
  await restart();
  const took = seconds('InactiveExitTimestampMonotonic', 'ActiveEnterTimestampMonotonic');
  t.comment(`figure: the daemon was ready after ${took} s`);
  await using client = await session();
  const [device] = (await client.devices()).devices;
  const rungs = (device?.kinds ?? []).map(({ kind, rung }) => `${kind.slice(5)} ${rung.slice(5)}`);
  const [release, systemd] = [must('uname', '-r'), systemdVersion()];
  t.comment(`figure: Linux ${release}, systemd ${systemd}, ${device?.name}: ${rungs.join(', ')}`);
  const dmaBuf = process.env.VKMEMD_LAB === 'debian12' ? 'UNSUPPORTED' : 'VERIFIED';
  t.strictSame(rungs.slice(0, 3), ['MAPPABLE VERIFIED', 'OPAQUE_FD VERIFIED', `DMA_BUF ${dmaBuf}`]);
});

t.test('systemd rates its exposure at most 1.0', async (t) => {
  const text = must('systemd-analyze', 'security', '--no-pager', SERVICE);
  const [, exposure] = /Overall exposure level for \S+: ([\d.]+)/.exec(text) ?? [];
  t.comment(`figure: exposure ${exposure}`);
  t.ok(Number(exposure) <= 1.0, String(exposure));
});

t.test('restarts are delayed more and more where systemd can do that', async (t) => {
  t.equal(property('RestartSteps'), systemdVersion() >= 254 ? '6' : '');
});

t.test('a SIGKILL loses no memory', async (t) => {
  const pid = await ready();
  await using client = await session();
  const memory = await client.allocate({ size: SIZE, name: 'kept' });
  await client.transfer({ fill: { to: memory, pattern: 0x5eedc0de } });
  const before = property('InvocationID');
  t.ok(Number(property('NFileDescriptorStore')) > 0, 'systemd stores its fds');
  process.kill(pid, 'SIGKILL');
  t.not(await ready(before), pid);
  await using after = await session();
  const again = await after.claim({ name: 'kept' });
  using map = again.map();
  t.equal(map.bytes[SIZE - 1], 0x5e);
  map.unmap();
  await again.free();
});

t.test('it runs as its user, without capabilities, and so does the front', async (t) => {
  const pid = await ready();
  await eventually('the front is there', async () => (await status()).front.present || undefined);
  for (const process of [String(pid), frontOf(pid)]) {
    const text = readFileSync(`/proc/${process}/status`, 'utf8');
    t.match(text, /^CapEff:\t0000000000000000$/m);
    t.match(text, /^CapBnd:\t0000000000000000$/m);
    t.match(text, /^NoNewPrivs:\t1$/m);
    t.notMatch(text, /^Uid:\t0\t/m);
  }
});

t.test('AppArmor confines both, and refuses them nothing that they need', async (t) => {
  const pid = await ready();
  t.equal(label(pid), 'vkmemd (enforce)');
  t.equal(label(frontOf(pid)), 'vkmemd//&vkmemd-front (enforce)');
  must('systemctl', 'reload', SERVICE);
  t.notMatch(must('dmesg'), /apparmor="DENIED"/, 'since the boot');
  const core = run('aa-exec', '-p', 'vkmemd', '--', 'cat', '/etc/hostname');
  t.match(core, { status: 1, stderr: /Permission denied/ }, 'the core reads no other file');
  const write = "require('fs').writeFileSync('/run/vkmemd/lab', '')";
  const front = run('aa-exec', '-p', 'vkmemd//&vkmemd-front', '--', '/usr/lib/vkmemd/bin/node', '-e', write);
  t.match(front, { status: 1, stderr: /EACCES/ }, 'the front writes none');
});

t.test('it leaves nothing', async (t) => {
  await eventually('systemd stores nothing', () => property('NFileDescriptorStore') === '0' || undefined);
  await eventually('the daemon holds nothing', async () => {
    const { allocations, drainingAllocations, sessions } = (await status()).counts;
    return allocations + drainingAllocations + sessions === 0 || undefined;
  });
  t.pass('no fd, byte or session');
});
