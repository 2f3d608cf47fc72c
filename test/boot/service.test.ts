/**
 * The service under systemd, from the first client to the final stop: who may connect, what the operator sees
 * of a crash and of an invalid policy, and what is left after `systemctl stop`.
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { until } from '../support/supervised-daemon.js';
import { Booted, SERVICE } from './booted.js';
import { unbootable } from './namespaces.js';
import { NODE } from './places.js';

/** EX_UNAVAILABLE: no daemon listens. */
const NOBODY = 69;
const SOCKETS = ['handoff', 'control', 'admin'].map((plane) => `vkmemd-${plane}.socket`);
const POLICY = '/etc/vkmemd/vkmemd.toml';
const STATE = ['ActiveState', 'SubState', 'NFileDescriptorStore', 'ExecMainStatus'] as const;

t.setTimeout(300_000);
t.test('the service under systemd', { skip: unbootable(), timeout: 300_000 }, async (t) => {
  const booted = await Booted.start(t);
  const names = async () => {
    const { status, stdout, stderr } = await booted.vkmemctl('root', 'ls', '--json');
    if (status !== 0) throw new Error(stderr);
    return (JSON.parse(stdout) as { allocations: { name: string }[] }).allocations.map(({ name }) => name);
  };

  await t.test('the first client that may connect starts it', async (t) => {
    const other = await booted.vkmemctl('outsider', 'status');
    t.not(other.status, 0);
    t.match(other.stderr, 'NOT_PERMITTED');
    t.match(await booted.show(SERVICE, 'ActiveState', 'NRestarts'), {
      ActiveState: 'inactive',
      NRestarts: '0',
    });
    t.strictSame(booted.pids(), [], 'a client that may not connect does not start it');
    const member = await booted.vkmemctl('worker', 'status');
    t.equal(member.status, 0, member.stderr);
    t.match(member.stdout, /^vkmemd \S+ is ready\n/);
    const { StatusText } = await booted.show(SERVICE, 'StatusText');
    t.match(StatusText, /^0 allocations, 0 B, \d sessions?; device /);
    t.equal((await booted.vkmemctl('outsider', 'status')).status, other.status, 'and is refused later too');
  });

  await t.test('the journal shows a crash, and what was restored', async (t) => {
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
      MESSAGE: /allocations=1 degraded=0 sessions=0 draining=0 ended=0 unknown=\[\] lost=\[\]/,
    });
    const [one] = (await booted.journal(`_SYSTEMD_UNIT=${SERVICE}`)).flatMap(
      (entry) => entry.VKMEMD_ALLOCATION ?? [],
    );
    t.ok(
      (await booted.journal(`VKMEMD_ALLOCATION=${one}`)).length > 0,
      'the journal can be searched by allocation',
    );
  });

  await t.test('systemctl reload reads the policy again', async (t) => {
    await booted.systemctl('reload', SERVICE);
    const reloaded = await until('the reload is logged', async () => {
      const lines = await booted.journal(`_SYSTEMD_UNIT=${SERVICE}`, 'SYSLOG_IDENTIFIER=vkmemd');
      return lines.find(({ MESSAGE }) => MESSAGE?.startsWith('the policy was reloaded'));
    });
    t.equal(reloaded.PRIORITY, '6');
    t.strictSame(await names(), ['frames'], 'and keeps the memory');
  });

  await t.test('virtual machines find their socket before and after a crash', async (t) => {
    const offered = await booted.vkmemctl('worker', 'vm', 'ivshmem', 'frames', '--json');
    t.equal(offered.status, 0, offered.stderr);
    const { path } = (JSON.parse(offered.stdout) as { server: { path: string } }).server;
    t.match(path, /^\/run\/vkmemd\/ivshmem\/[0-9a-f-]{36}\.sock$/);
    const visit = `require('net').connect(process.argv[1]).once('data', (told) => {
      console.log(told.length > 0); process.exit();
    }).once('end', () => { console.log('closed'); process.exit(); })`;
    const visited = async (user: string) => (await booted.runAs(user, NODE, '-e', visit, path)).stdout.trim();
    t.equal(await visited('worker'), 'true', 'the owner is admitted');
    t.equal(await visited('outsider'), 'closed', 'another user is not');
    const { InvocationID: before } = await booted.show(SERVICE, 'InvocationID');
    booted.signal('SIGKILL');
    await booted.ready(before);
    t.equal(await visited('worker'), 'true', 'the socket has the same path');
    t.equal((await booted.vkmemctl('worker', 'vm', 'stop', 'frames')).status, 0);
    await until('only the memory is kept', async () => {
      const { NFileDescriptorStore } = await booted.show(SERVICE, 'NFileDescriptorStore');
      return NFileDescriptorStore === '1' || undefined;
    });
  });

  await t.test(
    'with an invalid policy a reload fails, and a restart serves by the last good one',
    async (t) => {
      mkdirSync(booted.path('/etc/vkmemd'));
      writeFileSync(booted.path(POLICY), 'no policy\n');
      t.not((await booted.run('systemctl', 'reload', SERVICE)).status, 0, 'systemctl reload fails');
      t.equal((await booted.run('systemctl', 'restart', SERVICE)).status, 0);
      t.strictSame(await names(), ['frames'], 'all memory is kept');
      const { StatusText } = await booted.show(SERVICE, 'StatusText');
      t.match(StatusText, /; the policy is faulty, the last good one is in force/);
      await until('the log reports it', async () => {
        const said = await booted.journal(`_SYSTEMD_UNIT=${SERVICE}`);
        return said.some(({ MESSAGE }) => MESSAGE?.includes('the last good one is in force')) || undefined;
      });
      writeFileSync(booted.path(POLICY), '');
      await booted.systemctl('reload', SERVICE);
      t.strictSame(await names(), ['frames']);
    },
  );

  await t.test('systemctl stop frees everything', async (t) => {
    const { stderr } = await booted.run('systemctl', 'stop', SERVICE);
    t.match(stderr, 'can still be activated by', 'the sockets still listen');
    t.match(await booted.show(SERVICE, ...STATE), { ActiveState: 'inactive', ExecMainStatus: '0' });
    await booted.emptyStore();
    t.notOk(existsSync(booted.path('/run/vkmemd/state')), 'the ledger is removed');
    t.strictSame(await names(), [], 'the next start has no allocations');
    const made = await booted.vkmemctl('worker', 'alloc', 'anew', '--size', '64KiB');
    t.equal(made.status, 0, made.stderr);
    await booted.systemctl('stop', ...SOCKETS);
    t.match(await booted.show(SERVICE, ...STATE), { ActiveState: 'inactive', NFileDescriptorStore: '0' });
    t.strictSame(readdirSync(booted.path('/run/vkmemd')), [], 'it ends with its sockets, and leaves no file');
    const { status, stderr: reported } = await booted.vkmemctl('worker', 'status');
    t.equal(status, NOBODY, reported);
    t.match(reported, 'UNAVAILABLE');
    await booted.systemctl('start', SERVICE);
    t.strictSame(await names(), []);
  });
});
