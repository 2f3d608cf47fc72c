/**
 * The installed service under a real systemd and a real kernel: it is as confined as its unit and its AppArmor
 * profile say, and keeps memory when it is killed or fails to start. First as it is shipped, then with the drop-in of
 * docs/kinds.md for software drivers.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { SYSTEM } from './guest.js';
import {
  denials,
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
  TRIED,
} from './installed.js';

const SIZE = 1 << 20;
const DROP_INS = `/etc/systemd/system/${SERVICE}.d`;
/** What the driver makes dma-bufs of: a device of the group kvm. Mesa 22.3 makes none. */
const UDMABUF = '[Service]\nDeviceAllow=/dev/udmabuf rw\nSupplementaryGroups=kvm\n';
const FAILING = '[Service]\nType=exec\nExecStart=\nExecStart=/bin/false\n';

/** Adds settings to the unit, or removes them. */
function dropIn(name: string, settings: string | undefined): void {
  const file = join(DROP_INS, `${name}.conf`);
  mkdirSync(DROP_INS, { recursive: true });
  if (settings === undefined) rmSync(file);
  else writeFileSync(file, settings);
  must('systemctl', 'daemon-reload');
}

/** What the device's kinds are known to do. */
async function rungs(): Promise<{ device: string; all: string[] }> {
  await using client = await session();
  const [device] = (await client.devices()).devices;
  const all = (device?.kinds ?? []).map(({ kind, rung }) => `${kind.slice(5)} ${rung.slice(5)}`);
  return { device: device?.name ?? '', all };
}

const kinds = (dmaBuf: 'VERIFIED' | 'UNSUPPORTED') => [
  ...['MAPPABLE VERIFIED', 'OPAQUE_FD VERIFIED'],
  ...[`DMA_BUF ${dmaBuf}`, 'RDMA_ADDRESS UNSUPPORTED'],
];

const seconds = (from: string, to: string): string =>
  ((Number(property(to)) - Number(property(from))) / 1e6).toFixed(1);

const label = (pid: number | string): string => readFileSync(`/proc/${pid}/attr/current`, 'utf8').trim();

t.test('it starts as it is shipped', async (t) => {
  must('systemctl', 'start', SERVICE);
  await ready();
  const took = seconds('InactiveExitTimestampMonotonic', 'ActiveEnterTimestampMonotonic');
  t.comment(`figure: the daemon was ready after ${took} s`);
  const { device, all } = await rungs();
  const [release, systemd] = [must('uname', '-r'), systemdVersion()];
  t.comment(`figure: Linux ${release}, systemd ${systemd}, ${device}: ${all.join(', ')}`);
  t.strictSame(all, kinds('UNSUPPORTED'), 'its user may not use /dev/udmabuf');
});

t.test('with the drop-in it offers dma-bufs where the driver can export them', async (t) => {
  if (SYSTEM === 'debian12') return;
  dropIn('udmabuf', UDMABUF);
  await restart();
  t.strictSame((await rungs()).all, kinds('VERIFIED'));
});

t.test('systemd rates its exposure at most 1.0', async (t) => {
  const text = must('systemd-analyze', 'security', '--no-pager', SERVICE);
  const [, exposure] = /Overall exposure level for \S+: ([\d.]+)/.exec(text) ?? [];
  t.comment(`figure: exposure ${exposure}`);
  t.ok(Number(exposure) <= 1.0, String(exposure));
});

t.test(
  'a SIGKILL loses no memory, nor do starts that fail, which are tried more and more rarely',
  async (t) => {
    const pid = await ready();
    await using client = await session();
    const memory = await client.allocate({ size: SIZE, name: 'kept' });
    await client.transfer({ fill: { to: memory, pattern: 0x5eedc0de } });
    t.ok(Number(property('NFileDescriptorStore')) > 0, 'systemd stores its fds');
    // Before systemd 254 the delay is always the same.
    const grows = systemdVersion() >= 254;
    t.equal(property('RestartSteps'), grows ? '6' : '');
    dropIn('failing', FAILING);
    const before = property('InvocationID');
    process.kill(pid, 'SIGKILL');
    await eventually('a third restart is under way', () => Number(property('NRestarts')) >= 3 || undefined);
    if (grows) {
      const next = property('RestartUSecNext');
      t.notMatch(next, /^1s$/, 'the delay has grown');
      t.comment(`figure: the delay after ${property('NRestarts')} restarts: ${next}`);
    }
    dropIn('failing', undefined);
    t.not(await ready(before), pid);
    await using after = await session();
    const again = await after.claim({ name: 'kept' });
    using map = again.map();
    t.equal(map.bytes[SIZE - 1], 0x5e);
    map.unmap();
    await again.free();
  },
);

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
  t.strictSame(denials(), [], 'since the boot');
  const use = (profile: string, call: string) =>
    run('aa-exec', '-p', profile, '--', '/usr/lib/vkmemd/bin/node', '-e', `require('fs').${call}`);
  const read = `readFileSync('${TRIED.other}')`;
  t.match(use('vkmemd', read), { status: 1, stderr: /EACCES.*open/ }, 'the core reads no other file');
  const write = `writeFileSync('${TRIED.own}', '')`;
  t.match(use('vkmemd', write), { status: 0, stderr: '' }, 'it writes its own');
  const front = use('vkmemd//&vkmemd-front', write);
  t.match(front, { status: 1, stderr: /EACCES.*open/ }, 'which the front does not');
  rmSync(TRIED.own);
});

t.test('it leaves nothing', async (t) => {
  await eventually('systemd stores nothing', () => property('NFileDescriptorStore') === '0' || undefined);
  await eventually('the daemon holds nothing', async () => {
    const { allocations, drainingAllocations, sessions } = (await status()).counts;
    return allocations + drainingAllocations + sessions === 0 || undefined;
  });
  t.pass('no fd, byte or session');
});
