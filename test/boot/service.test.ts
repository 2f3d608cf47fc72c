/**
 * The service under systemd, from the first client to the end for good: who gets in, what the operator is
 * shown of a crash and of a policy with a fault, and what is left after `systemctl stop`.
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { until } from '../support/supervised-daemon.js';
import { Booted, SERVICE } from './booted.js';
import { unbootable } from './namespaces.js';
import { NODE } from './places.js';

/** EX_UNAVAILABLE: nobody listens. */
const NOBODY = 69;
const SOCKETS = ['handoff', 'control', 'admin'].map((plane) => `vkmemd-${plane}.socket`);
const POLICY = '/etc/vkmemd/vkmemd.toml';
const STATE = ['ActiveState', 'SubState', 'NFileDescriptorStore', 'ExecMainStatus'] as const;

t.setTimeout(300_000);
t.test('the service', { skip: unbootable(), timeout: 300_000 }, async (t) => {
  const booted = await Booted.start(t);
  const names = async () => {
    const { status, stdout, stderr } = await booted.vkmemctl('root', 'ls', '--json');
    if (status !== 0) throw new Error(stderr);
    return (JSON.parse(stdout) as { allocations: { name: string }[] }).allocations.map(({ name }) => name);
  };

  await t.test('it is started by the first client who may connect', async (t) => {
    const other = await booted.vkmemctl('outsider', 'status');
    t.not(other.status, 0);
    t.match(other.stderr, 'NOT_PERMITTED');
    t.match(await booted.show(SERVICE, 'ActiveState', 'NRestarts'), {
      ActiveState: 'inactive',
      NRestarts: '0',
    });
    t.strictSame(booted.pids(), [], 'who may not connect starts nothing');
    const member = await booted.vkmemctl('worker', 'status');
    t.equal(member.status, 0, member.stderr);
    t.match(member.stdout, /^vkmemd \S+ is ready\n/);
    const { StatusText } = await booted.show(SERVICE, 'StatusText');
    t.match(StatusText, /^0 allocations, 0 B, \d sessions?; device /);
    t.equal((await booted.vkmemctl('outsider', 'status')).status, other.status, 'nor gets in later');
  });

  await t.test('the journal shows a crash, and what came back', async (t) => {
    const made = await booted.vkmemctl('worker', 'alloc', 'frames', '--size', '64KiB');
    t.equal(made.status, 0, made.stderr);
    const { InvocationID: before } = await booted.show(SERVICE, 'InvocationID');
    booted.signal('SIGKILL');
    await booted.ready(before);
    t.strictSame(await names(), ['frames']);
    const crash = (await booted.journal(`UNIT=${SERVICE}`)).map(({ MESSAGE }) => MESSAGE);
    t.ok(crash.some((line) => line?.includes('Main process exited, code=killed, status=9/KILL')));
    const back = (await booted.journal(`_SYSTEMD_UNIT=${SERVICE}`, 'SYSLOG_IDENTIFIER=vkmemd')).filter(
      ({ MESSAGE }) => MESSAGE?.startsWith('the state of the previous daemon was restored'),
    );
    t.match(back.at(-1), {
      PRIORITY: '6',
      VKMEMD_DEVICE: /^[0-9a-f-]{36}$/,
      MESSAGE: /allocations=1 degraded=0 sessions=0 ended=0 unknown=\[\] lost=\[\]/,
    });
    const [one] = (await booted.journal(`_SYSTEMD_UNIT=${SERVICE}`)).flatMap(
      (entry) => entry.VKMEMD_ALLOCATION ?? [],
    );
    t.ok(
      (await booted.journal(`VKMEMD_ALLOCATION=${one}`)).length > 0,
      'what became of it can be searched for',
    );
  });

  await t.test('virtual machines find their socket, before a crash and after it', async (t) => {
    const offered = await booted.vkmemctl('worker', 'vm', 'ivshmem', 'frames', '--json');
    t.equal(offered.status, 0, offered.stderr);
    const { path } = (JSON.parse(offered.stdout) as { server: { path: string } }).server;
    t.match(path, /^\/run\/vkmemd\/ivshmem\/[0-9a-f-]{36}\.sock$/);
    const visit = `require('net').connect(process.argv[1]).once('data', (told) => {
      console.log(told.length > 0); process.exit();
    }).once('end', () => { console.log('hung up'); process.exit(); })`;
    const visited = async (user: string) => (await booted.runAs(user, NODE, '-e', visit, path)).stdout.trim();
    t.equal(await visited('worker'), 'true', 'its user is let in');
    t.equal(await visited('outsider'), 'hung up', 'nobody else is');
    const { InvocationID: before } = await booted.show(SERVICE, 'InvocationID');
    booted.signal('SIGKILL');
    await booted.ready(before);
    t.equal(await visited('worker'), 'true', 'the socket is where it was');
    t.equal((await booted.vkmemctl('worker', 'vm', 'stop', 'frames')).status, 0);
    await until('only the memory is kept', async () => {
      const { NFileDescriptorStore } = await booted.show(SERVICE, 'NFileDescriptorStore');
      return NFileDescriptorStore === '1' || undefined;
    });
  });

  await t.test('with a fault in the policy it waits, with all memory, until that is mended', async (t) => {
    mkdirSync(booted.path('/etc/vkmemd'));
    writeFileSync(booted.path(POLICY), 'no policy\n');
    t.not((await booted.run('systemctl', 'restart', SERVICE)).status, 0, 'who restarts it is told');
    const waits = await until('that it waits', async () => {
      const state = await booted.show(SERVICE, ...STATE);
      return state.SubState === 'auto-restart' ? state : undefined;
    });
    t.match(waits, { ActiveState: 'activating', ExecMainStatus: '78', NFileDescriptorStore: '1' });
    const said = await booted.journal(`_SYSTEMD_UNIT=${SERVICE}`);
    t.ok(
      said.some(({ MESSAGE }) => MESSAGE?.includes(`POLICY_INVALID: ${POLICY}:1:`)),
      'and where the fault is',
    );
    writeFileSync(booted.path(POLICY), '');
    t.strictSame(await names(), ['frames'], 'who connects waits, too');
  });

  await t.test('stopped for good', async (t) => {
    const { stderr } = await booted.run('systemctl', 'stop', SERVICE);
    t.match(stderr, 'can still be activated by', 'the sockets still listen');
    t.match(await booted.show(SERVICE, ...STATE), { ActiveState: 'inactive', ExecMainStatus: '0' });
    await booted.emptyStore();
    t.notOk(existsSync(booted.path('/run/vkmemd/state')), 'the ledger is gone');
    t.strictSame(await names(), [], 'the next start has nothing');
    const made = await booted.vkmemctl('worker', 'alloc', 'anew', '--size', '64KiB');
    t.equal(made.status, 0, made.stderr);
    await booted.systemctl('stop', ...SOCKETS);
    t.match(await booted.show(SERVICE, ...STATE), { ActiveState: 'inactive', NFileDescriptorStore: '0' });
    t.strictSame(
      readdirSync(booted.path('/run/vkmemd')),
      [],
      'with its sockets it ends, and nothing is left',
    );
    const { status, stderr: reported } = await booted.vkmemctl('worker', 'status');
    t.equal(status, NOBODY, reported);
    t.match(reported, 'UNAVAILABLE');
    await booted.systemctl('start', SERVICE);
    t.strictSame(await names(), []);
  });
});
