/**
 * When the keeper starts its child again, when it ends it, and when it ends itself.
 */
import { readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { until } from '../native/open-fds.js';
import { temporaryFolder } from '../support/daemon.js';
import { manager } from '../systemd/manager.js';
import { alive, startKeeper } from './support.js';

const AGAIN = /started again/;

t.test('a child that ends is started again, later and later, until one is sound', async (t) => {
  const keeper = startKeeper(t, { firstDelayMs: 10, longestDelayMs: 40, soundMs: 50 });
  for (let round = 0; round < 5; round += 1) {
    await keeper.begun();
    await keeper.order({ exit: round === 0 ? 0 : 78 });
  }
  await keeper.begun();
  await keeper.order({ notify: 'READY=1', settle: true });
  await sleep(100);
  await keeper.order({ exit: 0 });
  await keeper.begun();
  t.strictSame(
    keeper.logged(AGAIN).map(({ inMs }) => inMs),
    [10, 20, 40, 40, 40, 10],
  );
  t.match(
    keeper.logged(AGAIN)[1],
    { code: 78, signal: null },
    'what a first one may not say, a later one may',
  );
});

t.test('a first child that cannot begin ends the keeper', async (t) => {
  for (const code of [64, 78]) {
    const keeper = startKeeper(t);
    await keeper.begun();
    await keeper.order({ exit: code });
    t.strictSame(await keeper.ended, { code, signal: null });
  }
});

t.test('stopping while no child runs', async (t) => {
  const keeper = startKeeper(t, { firstDelayMs: 60_000 });
  await keeper.begun();
  await keeper.order({ exit: 1 });
  await until(() => keeper.logged(AGAIN).length === 1);
  keeper.process.kill('SIGTERM');
  t.strictSame(await keeper.ended, { code: 0, signal: null });
});

t.test('a child that does not stop is killed', async (t) => {
  const keeper = startKeeper(t, { stopMs: 2000 });
  const { pid } = await keeper.begun();
  await keeper.order({ deaf: true });
  keeper.process.kill('SIGTERM');
  await keeper.next((said) => (said.heard === 'SIGTERM' ? true : undefined));
  t.strictSame(await keeper.ended, { code: 137, signal: null });
  t.notOk(alive(pid));
});

t.test('SIGUSR2 ends the wait for another child', async (t) => {
  const keeper = startKeeper(t, { firstDelayMs: 60_000 });
  const first = await keeper.begun();
  await keeper.order({ exit: 1 });
  await until(() => keeper.logged(AGAIN).length === 1);
  keeper.process.kill('SIGUSR2');
  t.not((await keeper.begun()).pid, first.pid);
});

t.test('SIGHUP is passed on; SIGUSR2 is another child at once, with what was kept', async (t) => {
  const keeper = startKeeper(t, { firstDelayMs: 60_000 });
  const first = await keeper.begun();
  await keeper.order({ store: ['a', ['x']] });
  keeper.process.kill('SIGHUP');
  await keeper.next((said) => (said.heard === 'SIGHUP' ? true : undefined));
  keeper.process.kill('SIGUSR2');
  const second = await keeper.begun();
  t.not(second.pid, first.pid);
  t.strictSame(second.kept, [['a', 'x']]);
});

t.test('a child that is silent is aborted, and killed where that is not enough', async (t) => {
  const keeper = startKeeper(t, { watchdogMs: 2000 });
  const first = await keeper.begun();
  t.strictSame(first.watchdog, [2_000_000, true], 'it is told how often');
  await keeper.order({ store: ['a', ['x']] });
  await sleep(2200);
  t.ok(alive(first.pid), 'nobody waits for one that is not ready');
  await keeper.order({ notify: 'READY=1' });
  for (let beat = 0; beat < 6; beat += 1) {
    await keeper.order({ notify: 'WATCHDOG=1' });
    await sleep(400);
  }
  t.equal(keeper.logged(/silent/).length, 0, 'one that speaks is left alone');
  // It can neither speak nor end by SIGABRT.
  process.kill(first.pid, 'SIGSTOP');
  const second = await keeper.begun();
  t.strictSame(second.kept, [['a', 'x']]);
  t.match(keeper.logged(AGAIN), [{ signal: 'SIGKILL' }]);
  keeper.tell({ notify: 'WATCHDOG=trigger' });
  await keeper.begun();
  t.match(keeper.logged(AGAIN)[1], { signal: 'SIGABRT' }, 'it may ask for that itself');
});

t.test('a keeper that is killed takes its child with it', async (t) => {
  const keeper = startKeeper(t);
  const { pid } = await keeper.begun();
  keeper.process.kill('SIGKILL');
  await until(() => !alive(pid));
  t.pass('the child ended');
});

t.test('a manager above is told as if the keeper were the service', async (t) => {
  const path = join(temporaryFolder(t), 'notify');
  const above = manager(path);
  t.teardown(above.close);
  const keeper = startKeeper(t, {}, { NOTIFY_SOCKET: path, WATCHDOG_USEC: '300000' });
  const first = await keeper.begun();
  t.strictSame(first.watchdog, [300_000, true], "the child's watchdog is the keeper's");
  await keeper.order({ notify: 'READY=1\nSTATUS=well\nFDNAME=x\nMAINPID=1' });
  await keeper.order({ notify: 'STOPPING=1', settle: true });
  process.kill(first.pid, 'SIGKILL');
  await keeper.begun();
  await keeper.order({ notify: 'RELOADING=1\nMONOTONIC_USEC=5', settle: true });
  await until(() => above.messages.filter((message) => message === 'WATCHDOG=1').length > 2);
  keeper.process.kill('SIGTERM');
  await keeper.ended;
  await sleep(50);
  t.strictSame(
    above.messages.filter((message) => message !== 'WATCHDOG=1'),
    [
      'READY=1\nSTATUS=well',
      'STATUS=The daemon ended and is started again.',
      'RELOADING=1\nMONOTONIC_USEC=5',
      'STOPPING=1',
    ],
  );
});

t.test('what the keeper was handed itself is kept for each child', async (t) => {
  const file = join(temporaryFolder(t), 'file');
  writeFileSync(file, 'handed');
  const before = `exec 3<${file} 4<${file}; export LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=one:two;`;
  const keeper = startKeeper(t, {}, {}, before);
  const kept = [
    ['one', 'handed'],
    ['two', 'handed'],
  ];
  const first = await keeper.begun();
  t.strictSame([...first.kept].sort(), kept);
  t.equal(first.mine, true);
  process.kill(first.pid, 'SIGKILL');
  const second = await keeper.begun();
  t.strictSame([...second.kept].sort(), kept);
  const files = readdirSync(`/proc/${second.pid}/fd`).map((fd) =>
    readlinkSync(`/proc/${second.pid}/fd/${fd}`),
  );
  t.equal(files.filter((path) => path === file).length, 2, 'and handed on once each');
});
