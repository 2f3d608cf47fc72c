/**
 * The budget of a real daemon on a driver without VK_EXT_memory_budget: the estimate, pressure by the
 * daemon's thresholds, and WatchBudget from its first message to each way that it ends.
 */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { type Decoded, VERSION_METADATA } from '@vkmemd/proto';
import t from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { daemonProgram, lavapipe, plainEnvironment, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { messagesIn, rawSession, rawWatch } from '../support/raw-http2.js';
import type { BudgetReport, Watching } from '../support/watching.js';

const MIB = 1n << 20n;
const kinds = ['KIND_MAPPABLE'] as const;
const onLavapipe = { env: { VK_DRIVER_FILES: lavapipe() } };

const liveIn = ({ heaps }: BudgetReport): bigint => heaps.reduce((sum, heap) => sum + heap.liveBytes, 0n);

t.test('without VK_EXT_memory_budget the budget is estimated, and pressure follows it', async (t) => {
  const args = ['--pressure-elevated', '1', '--pressure-critical', '2'];
  const { runtimeDir } = await startDaemon(t, { ...onLavapipe, args });
  const control = new ControlWire(runtimeDir);
  const watching = control.watchBudget();
  const heap = async () => (await control.budget()).heaps[0] as Decoded<'HeapBudget'>;
  const { sizeBytes: size, ...empty } = await heap();
  const limit = (size * 4n) / 5n;
  const nothing = { liveBytes: 0n, drainingBytes: 0n, reservedBytes: 0n, driverUsageBytes: 0n };
  t.match(empty, { ...nothing, source: 'BUDGET_SOURCE_ESTIMATED', pressure: 'PRESSURE_NORMAL' });
  t.match(empty, { driverBudgetBytes: limit, availableBytes: limit });
  const tooMuch = control.call('Allocate', { sizeBytes: limit + 4096n, kinds, name: 'too-much' });
  await t.rejects(tooMuch, { code: 'BUDGET_EXCEEDED', metadata: { available_bytes: String(limit) } });

  const sizeBytes = limit / 100n + MIB;
  for (const [name, pressure] of [
    ['one', 'PRESSURE_ELEVATED'],
    ['two', 'PRESSURE_CRITICAL'],
  ] as const) {
    await control.call('Allocate', { sizeBytes, kinds, name });
    const { availableBytes, liveBytes, driverUsageBytes, ...rest } = await heap();
    t.equal(rest.pressure, pressure);
    t.equal(availableBytes, limit - liveBytes);
    t.equal(driverUsageBytes, liveBytes, "the daemon's own account replaces the driver's");
    const { heaps } = await watching.until((report) => report.pressure === pressure);
    t.equal(heaps[0]?.pressure, pressure, 'watchers receive the pressure');
  }
  for (const name of ['one', 'two']) await control.call('FreeAllocation', { allocation: { name } });
  watching.clear();
  await watching.until((report) => report.pressure === 'PRESSURE_NORMAL');
  watching.cancel();
  await watching.ended;
  control.close();
});

t.test('a watcher receives the state at once, then each change, and nothing else', async (t) => {
  const { runtimeDir } = await startDaemon(t, onLavapipe);
  const control = new ControlWire(runtimeDir);
  const watching = control.watchBudget();
  const first = await watching.until(() => true);
  const { heaps, counts } = await control.budget();
  t.strictSame(first, { heaps, counts, pressure: 'PRESSURE_NORMAL' }, 'the first report equals GetBudget');
  await delay(400);
  t.equal(watching.reports.length, 1, 'no report without a change');

  const changes: [string, () => Promise<unknown>, (report: BudgetReport) => boolean][] = [
    [
      'allocated',
      () => control.call('Allocate', { sizeBytes: MIB, kinds, name: 'x' }),
      (report) => liveIn(report) === MIB && report.counts?.allocations === 1,
    ],
    [
      'freed',
      () => control.call('FreeAllocation', { allocation: { name: 'x' } }),
      (report) => liveIn(report) === 0n,
    ],
  ];
  for (const [what, change, seen] of changes) {
    watching.clear();
    await change();
    const since = performance.now();
    await watching.until(seen);
    t.ok(performance.now() - since < 1000, `${what}: reported after ${performance.now() - since} ms`);
  }
  watching.clear();
  const wire = await HandoffWire.open(runtimeDir);
  await watching.until(({ counts }) => counts?.sessions === 1);
  wire.close();
  watching.cancel();
  t.match(await watching.ended, { code: 1 });
  control.close();
});

t.test('a watcher receives at most 10 reports a second', async (t) => {
  const { runtimeDir } = await startDaemon(t, onLavapipe);
  const control = new ControlWire(runtimeDir);
  const watchings = [control.watchBudget(), control.watchBudget()];
  const begun = performance.now();
  for (let round = 0; performance.now() - begun < 2500; round += 1) {
    await control.call('Allocate', { sizeBytes: BigInt(1 + (round % 7)) * MIB, kinds, name: 'churn' });
    await control.call('FreeAllocation', { allocation: { name: 'churn' } });
  }
  for (const { times } of watchings) {
    const seconds = ((times.at(-1) ?? 0) - (times[0] ?? 0)) / 1000;
    t.ok(times.length > 5, `${times.length} messages in ${seconds} s`);
    t.ok(times.length - 1 <= seconds * 10 + 1, 'at most 10 a second');
  }
  for (const watching of watchings) watching.cancel();
  await Promise.all(watchings.map(({ ended }) => ended));
  control.close();
});

t.test(
  'a budget watch ends with its session and with the daemon; invalid or surplus watches are refused',
  async (t) => {
    const { runtimeDir, stop } = await startDaemon(t, { ...onLavapipe, unchecked: true });
    const control = new ControlWire(runtimeDir);
    const wire = await HandoffWire.open(runtimeDir);
    const ofSession = ControlWire.withToken(runtimeDir, wire.welcome.sessionToken);
    const watching = ofSession.watchBudget();
    await watching.until(() => true);
    wire.close();
    t.match(await watching.ended, { code: 'SESSION_INVALID' }, 'its session ended');
    t.match(
      await ofSession.watchBudget().ended,
      { code: 'SESSION_INVALID' },
      "a new watch with that session's token",
    );
    ofSession.close();
    t.match(await control.watchBudget(Buffer.from([0xff])).ended, { code: 'PROTOCOL_ERROR' });
    const other = new ControlWire(runtimeDir, { [VERSION_METADATA]: '99' });
    t.match(await other.watchBudget().ended, { code: 'VERSION_UNSUPPORTED' });

    const oneTooMany = async () => {
      const uncounted = new ControlWire(runtimeDir);
      t.match(
        await uncounted.watchBudget().ended,
        { code: 'UNAVAILABLE', reason: /64 budget watches/ },
        'the 65th watch of a user',
      );
      await uncounted.budget();
      uncounted.close();
    };
    const all = Array.from({ length: 64 }, () => control.watchBudget());
    await Promise.all(all.map((each) => each.until(() => true)));
    await oneTooMany();
    for (const each of all) each.cancel();
    await Promise.all(all.map(({ ended }) => ended));
    const session = rawSession(runtimeDir, 65_535);
    await Promise.all(Array.from({ length: 64 }, () => once(rawWatch(session), 'data')));
    await oneTooMany();
    session.destroy();
    const last = await whenThereIsRoom(control);
    const since = performance.now();
    t.strictSame(await stop(), { code: 0, signal: null });
    t.ok(performance.now() - since < 3000, 'the daemon does not wait for watchers when it stops');
    t.match(await last.ended, { code: 'UNAVAILABLE', reason: 'The daemon is stopping.' });
    control.close();
    other.close();
  },
);

t.test('a watcher that does not read later receives only the latest state', async (t) => {
  const { runtimeDir } = await startDaemon(t, onLavapipe);
  const control = new ControlWire(runtimeDir);
  const session = rawSession(runtimeDir, 64);
  const stream = rawWatch(session);
  stream.pause();
  const begun = performance.now();
  let rounds = 0;
  for (; performance.now() - begun < 2500; rounds += 1) {
    await control.call('Allocate', { sizeBytes: BigInt(1 + rounds) * 4096n, kinds, name: 'churn' });
    await delay(5);
    await control.call('FreeAllocation', { allocation: { name: 'churn' } });
  }
  await control.call('Allocate', { sizeBytes: 12345n * 4096n, kinds, name: 'last' });
  const received: Buffer[] = [];
  stream.on('data', (bytes: Buffer) => received.push(bytes));
  stream.resume();
  await delay(600);
  const messages = messagesIn(Buffer.concat(received));
  t.ok(
    messages.length >= 2 && messages.length <= 4,
    `${messages.length} messages were queued after ${rounds} rounds`,
  );
  t.equal(liveIn(messages.at(-1) as BudgetReport), 12345n * 4096n, 'the last message is the current state');
  stream.close();
  session.close();
  await control.call('FreeAllocation', { allocation: { name: 'last' } });
  control.close();
});

/** Opens a watch, and retries until the daemon has noticed that earlier ones ended. */
async function whenThereIsRoom(control: ControlWire): Promise<Watching> {
  for (let tries = 0; ; tries += 1) {
    const watching = control.watchBudget();
    try {
      await watching.until(() => true);
      return watching;
    } catch (refused) {
      if (tries === 50) throw refused;
      await delay(20);
    }
  }
}

t.test('invalid pressure thresholds are rejected', async (t) => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [daemonProgram, ...args], { encoding: 'utf8', env: plainEnvironment() });
  for (const [name, value] of [
    ['elevated', '0'],
    ['critical', '101'],
    ['critical', '95.5'],
  ]) {
    const { status, stderr } = run(`--pressure-${name}=${value}`);
    t.equal(status, 64);
    t.match(stderr, new RegExp(`--pressure-${name} .*'${value}' is invalid.*whole number from 1 to 100`));
  }
  const crossed = run('--pressure-elevated', '90', '--pressure-critical', '85');
  t.equal(crossed.status, 64);
  t.match(crossed.stderr, /--pressure-elevated \(90\) is above --pressure-critical \(85\)/);
  const { stdout } = run('--help');
  t.match(stdout, /--pressure-elevated <percent>[^-]*default:\s+80/);
  t.match(stdout, /--pressure-critical <percent>[^-]*default:\s+95/);
});
