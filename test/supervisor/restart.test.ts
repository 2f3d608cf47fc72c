/** When the supervisor restarts its child, when it ends it, and when it ends itself. */
import { readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { until } from '../native/open-fds.js';
import { temporaryFolder } from '../support/daemon.js';
import { manager } from '../systemd/manager.js';
import { alive, startSupervisor } from './support.js';

const AGAIN = /will be restarted/;

t.test('a child that ends is restarted with growing delays, until one runs long enough', async (t) => {
  const supervisor = startSupervisor(t, { firstDelayMs: 10, maxDelayMs: 40, stableMs: 50 });
  for (let round = 0; round < 5; round += 1) {
    await supervisor.begun();
    await supervisor.order({ exit: round === 0 ? 0 : 78 });
  }
  await supervisor.begun();
  await supervisor.order({ notify: 'READY=1', settle: true });
  await sleep(100);
  await supervisor.order({ exit: 0 });
  await supervisor.begun();
  t.strictSame(
    supervisor.logged(AGAIN).map(({ inMs }) => inMs),
    [10, 20, 40, 40, 40, 10],
  );
  t.match(
    supervisor.logged(AGAIN)[1],
    { code: 78, signal: null },
    'an exit code that ends the supervisor at the first start causes a restart later',
  );
});

t.test('a first child that cannot start ends the supervisor', async (t) => {
  for (const code of [64, 78]) {
    const supervisor = startSupervisor(t);
    await supervisor.begun();
    await supervisor.order({ exit: code });
    t.strictSame(await supervisor.ended, { code, signal: null });
  }
});

t.test('a stop while no child runs', async (t) => {
  const supervisor = startSupervisor(t, { firstDelayMs: 60_000 });
  await supervisor.begun();
  await supervisor.order({ exit: 1 });
  await until(() => supervisor.logged(AGAIN).length === 1);
  supervisor.process.kill('SIGTERM');
  t.strictSame(await supervisor.ended, { code: 0, signal: null });
});

t.test('a child that does not stop is killed', async (t) => {
  const supervisor = startSupervisor(t, { stopMs: 2000 });
  const { pid } = await supervisor.begun();
  await supervisor.order({ deaf: true });
  supervisor.process.kill('SIGTERM');
  await supervisor.next((said) => (said.heard === 'SIGTERM' ? true : undefined));
  t.strictSame(await supervisor.ended, { code: 137, signal: null });
  t.notOk(alive(pid));
});

t.test('SIGUSR2 ends the delay before a restart', async (t) => {
  const supervisor = startSupervisor(t, { firstDelayMs: 60_000 });
  const first = await supervisor.begun();
  await supervisor.order({ exit: 1 });
  await until(() => supervisor.logged(AGAIN).length === 1);
  supervisor.process.kill('SIGUSR2');
  t.not((await supervisor.begun()).pid, first.pid);
});

t.test('SIGHUP is passed on; SIGUSR2 restarts the child at once, with the stored fds', async (t) => {
  const supervisor = startSupervisor(t, { firstDelayMs: 60_000 });
  const first = await supervisor.begun();
  await supervisor.order({ store: ['a', ['x']] });
  supervisor.process.kill('SIGHUP');
  await supervisor.next((said) => (said.heard === 'SIGHUP' ? true : undefined));
  supervisor.process.kill('SIGUSR2');
  const second = await supervisor.begun();
  t.not(second.pid, first.pid);
  t.strictSame(second.inherited, [['a', 'x']]);
});

t.test('a child without keep-alive messages is aborted, then killed', async (t) => {
  const supervisor = startSupervisor(t, { watchdogMs: 2000 });
  const first = await supervisor.begun();
  t.strictSame(first.watchdog, [2_000_000, true], 'it gets the interval');
  await supervisor.order({ store: ['a', ['x']] });
  await sleep(2200);
  t.ok(alive(first.pid), 'the watchdog starts only when the child is ready');
  await supervisor.order({ notify: 'READY=1' });
  for (let beat = 0; beat < 6; beat += 1) {
    await supervisor.order({ notify: 'WATCHDOG=1' });
    await sleep(400);
  }
  t.equal(
    supervisor.logged(/the watchdog aborts/).length,
    0,
    'a child that sends keep-alive messages is not ended',
  );
  // It can neither send messages nor end by SIGABRT.
  process.kill(first.pid, 'SIGSTOP');
  const second = await supervisor.begun();
  t.strictSame(second.inherited, [['a', 'x']]);
  t.match(supervisor.logged(AGAIN), [{ signal: 'SIGKILL' }]);
  supervisor.send({ notify: 'WATCHDOG=trigger' });
  await supervisor.begun();
  t.match(supervisor.logged(AGAIN)[1], { signal: 'SIGABRT' }, 'it may request its own restart');
});

t.test('a killed supervisor ends its child', async (t) => {
  const supervisor = startSupervisor(t);
  const { pid } = await supervisor.begun();
  supervisor.process.kill('SIGKILL');
  await until(() => !alive(pid));
  t.pass('the child ended');
});

t.test('a service manager is notified as if the supervisor were the service', async (t) => {
  const path = join(temporaryFolder(t), 'notify');
  const above = manager(path);
  t.teardown(above.close);
  const supervisor = startSupervisor(t, {}, { NOTIFY_SOCKET: path, WATCHDOG_USEC: '300000' });
  const first = await supervisor.begun();
  t.strictSame(first.watchdog, [300_000, true], "the child's watchdog is the supervisor's");
  await supervisor.order({ notify: 'READY=1\nSTATUS=well\nFDNAME=x\nMAINPID=1' });
  await supervisor.order({ notify: 'STOPPING=1', settle: true });
  process.kill(first.pid, 'SIGKILL');
  await supervisor.begun();
  await supervisor.order({ notify: 'RELOADING=1\nMONOTONIC_USEC=5', settle: true });
  await until(() => above.messages.filter((message) => message === 'WATCHDOG=1').length > 2);
  supervisor.process.kill('SIGTERM');
  await supervisor.ended;
  await sleep(50);
  t.strictSame(
    above.messages.filter((message) => message !== 'WATCHDOG=1'),
    [
      'READY=1\nSTATUS=well',
      'STATUS=The daemon ended and will be restarted.',
      'RELOADING=1\nMONOTONIC_USEC=5',
      'STOPPING=1',
    ],
  );
});

t.test('fds that the supervisor inherited are stored for each child', async (t) => {
  const file = join(temporaryFolder(t), 'file');
  writeFileSync(file, 'handed');
  const before = `exec 3<${file} 4<${file}; export LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=one:two;`;
  const supervisor = startSupervisor(t, {}, {}, before);
  const retained = [
    ['one', 'handed'],
    ['two', 'handed'],
  ];
  const first = await supervisor.begun();
  t.strictSame([...first.inherited].sort(), retained);
  t.equal(first.mine, true);
  process.kill(first.pid, 'SIGKILL');
  const second = await supervisor.begun();
  t.strictSame([...second.inherited].sort(), retained);
  const files = readdirSync(`/proc/${second.pid}/fd`).map((fd) =>
    readlinkSync(`/proc/${second.pid}/fd/${fd}`),
  );
  t.equal(files.filter((path) => path === file).length, 2, 'each is passed on once');
});
