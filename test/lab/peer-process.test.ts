/**
 * What the daemon knows of its peers' processes: with SO_PEERPIDFD (Linux 6.5), and without it by the challenge that
 * the library answers, a session ends with its process, SESSION memory outlives a daemon, and rules with `unit` match.
 * Without it the daemon warns. test/daemon/challenge.test.ts has the clients that do not answer, or not as they should.
 */
import { rmSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { SYSTEM } from './guest.js';
import {
  denials,
  eventually,
  journal,
  must,
  property,
  RUNTIME_DIR,
  ready,
  run,
  SERVICE,
  session,
  status,
} from './installed.js';

/** Linux 6.1 has no SO_PEERPIDFD. */
const HAS_PIDFD = SYSTEM !== 'debian12';
const POLICY = '/etc/vkmemd/conf.d/lab.toml';
const UNIT = 'lab-tenant.service';

const sessions = async (): Promise<number> => (await status()).counts.sessions;

t.test('SESSION memory', async (t) => {
  const pid = await ready();
  const warned = /no SO_PEERPIDFD: SESSION memory outlives the daemon only for clients that/.test(journal());
  t.equal(warned, !HAS_PIDFD, 'the daemon warns where clients have to answer');
  const client = await session();
  const memory = await client.allocate({ size: 1 << 20 });
  t.equal(memory.allocation.kept, true, 'the answer says that it is kept');
  const before = property('InvocationID');
  process.kill(pid, 'SIGKILL');
  await ready(before);
  const [left] = await client.list();
  const live = { id: memory.allocation.id, state: 'ALLOCATION_STATE_LIVE' };
  t.match(left, live, 'after the end of the daemon');
  await client.close();
});

t.test("a copy of a session's socket", async (t) => {
  await eventually('no session is open', async () => (await sessions()) === 0 || undefined);
  const script = 'sleep 600 >/dev/null 2>&1 & echo $!; kill -KILL $$';
  const { stdout } = run('vkmemctl', 'exec', '--allocate', 'name=copied,size=1M', '--', 'sh', '-c', script);
  const sleeper = Number(stdout.trim());
  t.ok(sleeper > 1, 'another process has a copy; the one that connected has ended');
  await eventually('it has ended', async () => (await sessions()) === 0 || undefined);
  t.equal(run('kill', '-0', String(sleeper)).status, 0, 'the copy was there all the time');
  process.kill(sleeper, 'SIGKILL');
  must('vkmemctl', 'free', 'copied');
});

t.test('a rule with a unit', async (t) => {
  writeFileSync(POLICY, `[[rule]]\nunit = "${UNIT}"\nconnect = true\n`);
  t.teardown(() => {
    rmSync(POLICY);
    must('systemctl', 'reload', SERVICE);
  });
  must('systemctl', 'reload', SERVICE);
  // The command sends a signal, and does not wait until the daemon has handled it.
  await eventually('it is read', () => journal().includes('the policy was reloaded') || undefined);
  const said = /has no SO_PEERPIDFD \(Linux 6\.5\): rules with unit match only peers that/.test(journal());
  t.equal(said, !HAS_PIDFD, 'the daemon warns where it matches only clients that answer');
  const user = ['-p', 'DynamicUser=yes', '-p', 'SupplementaryGroups=vkmem'];
  const command = ['--runtime-dir', RUNTIME_DIR, 'exec', '--', 'true'];
  const tenant = (unit: string) =>
    run(
      'systemd-run',
      '--quiet',
      '--wait',
      '--pipe',
      '--collect',
      '--unit',
      unit,
      ...user,
      'vkmemctl',
      ...command,
    );
  const { status, stderr } = tenant(UNIT);
  t.equal(status, 0, stderr);
  t.match(tenant('lab-other.service'), { stderr: /NOT_PERMITTED/ }, 'and another one never');
});

t.test('AppArmor has refused nothing', async (t) => {
  t.strictSame(denials(), []);
});
