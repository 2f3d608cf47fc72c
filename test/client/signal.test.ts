/** Signals: two sessions wake each other, without the daemon once both have their eventfds. */
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '@vkmemd/client';
import t from 'tap';
import { startDaemon } from '../support/daemon.js';
import { until } from '../support/supervised-daemon.js';

t.test('two sessions wake each other with a signal', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using one = await connect({ runtimeDir });
  await using other = await connect({ runtimeDir });
  const { signal, secret } = await one.signals.create();
  signal.ring();
  signal.ring();
  const opened = await other.signals.open(secret);
  t.same(await opened.wait(), 2n, 'rings before open() are counted');
  const rung = signal.wait();
  opened.ring();
  t.same(await rung, 1n, 'and in the other direction');
  const events: bigint[] = [];
  opened.on('ring', (count) => events.push(count));
  for (let at = 0; at < 3; at += 1) {
    signal.ring();
    while (events.reduce((sum, count) => sum + count, 0n) < BigInt(at + 1)) await sleep(1);
  }
  t.same(
    events.reduce((sum, count) => sum + count, 0n),
    3n,
    'no ring is lost',
  );
  await t.rejects(other.signals.open(secret), { code: 'TICKET_INVALID' }, 'a secret is valid once');
  await t.rejects(other.signals.open('a guess'), { code: 'TICKET_INVALID' });

  const abort = new AbortController();
  const waiting = t.rejects(
    signal.wait({ signal: abort.signal }),
    { name: 'AbortError' },
    'a wait can be aborted',
  );
  abort.abort();
  await waiting;
  const ended = t.rejects(signal.wait(), { code: 'NOT_FOUND' }, 'close() ends a wait');
  signal.close();
  await ended;
  t.throws(() => signal.ring(), { code: 'NOT_FOUND' });
  opened.ring();
  t.pass('the other side can still ring, without effect');
});

t.test('a signal that was never opened ends with its session', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using other = await connect({ runtimeDir });
  const one = await connect({ runtimeDir });
  const made = await Promise.all(Array.from({ length: 64 }, () => one.signals.create()));
  await t.rejects(one.signals.create(), { code: 'QUOTA_EXCEEDED' }, 'a session may have 64 unopened signals');
  const opened = await other.signals.open(made[0]?.secret ?? '');
  made[1]?.signal.ring();
  await one.signals.create();
  await one.close();
  // The daemon notices the end with a delay.
  await until('its session has ended', async () => (await other.budget()).counts.sessions === 1 || undefined);
  await t.rejects(other.signals.open(made[1]?.secret ?? ''), { code: 'TICKET_INVALID' });
  opened.ring();
  t.pass('an opened signal still works');
});

t.test('a signal outlives the daemon', async (t) => {
  const { runtimeDir, stop } = await startDaemon(t, { unchecked: true });
  await using one = await connect({ runtimeDir, reconnectMs: 0 });
  await using other = await connect({ runtimeDir, reconnectMs: 0 });
  const { signal, secret } = await one.signals.create();
  const opened = await other.signals.open(secret);
  await stop('SIGKILL');
  const rung = opened.wait();
  signal.ring();
  t.same(await rung, 1n, 'without the daemon');
});
