/**
 * The installed service under a real systemd and a real kernel: it starts for its first client, is as confined as
 * its unit says, and keeps memory when it is killed.
 */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { until } from '../support/supervised-daemon.js';
import { must, property, ready, SERVICE, systemdVersion, vkmemctl } from './installed.js';

interface Listed {
  readonly allocations: readonly { readonly name: string; readonly sizeBytes: number }[];
}

const seconds = (from: string, to: string): string =>
  ((Number(property(to)) - Number(property(from))) / 1e6).toFixed(1);

t.test('the first client starts the service', async (t) => {
  must('systemctl', 'start', SERVICE);
  await ready();
  const took = seconds('InactiveExitTimestampMonotonic', 'ActiveEnterTimestampMonotonic');
  t.comment(`figure: the daemon was ready after ${took} s`);
  const { ready: isReady, front } = vkmemctl<{ ready: boolean; front: { present: boolean } }>('status');
  t.match({ isReady, front }, { isReady: true, front: { present: true } });
  const release = must('uname', '-r');
  const device = vkmemctl<{ devices: { name: string; kinds: Record<string, { rung: string }> }[] }>('doctor')
    .devices[0];
  const rungs = Object.entries(device?.kinds ?? {}).map(([kind, { rung }]) => `${kind} ${rung}`);
  t.comment(`figure: Linux ${release}, systemd ${systemdVersion()}, ${device?.name}: ${rungs.join(', ')}`);
});

t.test('systemd rates its exposure at most 1.0', async (t) => {
  const text = must('systemd-analyze', 'security', '--no-pager', SERVICE);
  const [, exposure] = /Overall exposure level for \S+: ([\d.]+)/.exec(text) ?? [];
  t.comment(`figure: exposure ${exposure}`);
  t.ok(Number(exposure) <= 1.0, String(exposure));
});

t.test('restarts are delayed more and more where systemd can do that', async (t) => {
  const steps = property('RestartSteps');
  t.equal(steps, systemdVersion() >= 254 ? '6' : '');
});

t.test('a SIGKILL loses no memory', async (t) => {
  vkmemctl('alloc', 'kept', '--size', '1M');
  const pid = await ready();
  const before = property('InvocationID');
  t.ok(Number(property('NFileDescriptorStore')) > 0, 'systemd stores its fds');
  process.kill(pid, 'SIGKILL');
  t.not(await ready(before), pid);
  const { allocations } = vkmemctl<Listed>('ls');
  t.match(allocations, [{ name: 'kept', sizeBytes: 1 << 20 }]);
  vkmemctl('free', 'kept');
  await until('systemd stores nothing', () => property('NFileDescriptorStore') === '0' || undefined);
});

t.test('it runs as its user, without capabilities, and so does the front', async (t) => {
  const pid = await ready();
  const [front] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  for (const process of [String(pid), String(front)]) {
    const status = readFileSync(`/proc/${process}/status`, 'utf8');
    t.match(status, /^CapEff:\t0000000000000000$/m);
    t.match(status, /^CapBnd:\t0000000000000000$/m);
    t.match(status, /^NoNewPrivs:\t1$/m);
    t.notMatch(status, /^Uid:\t0\t/m);
  }
});
