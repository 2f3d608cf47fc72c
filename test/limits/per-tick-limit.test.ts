/**
 * The limit per tick: how many requests of one user start in one turn of the event loop, and that no waiting
 * request is lost; also on a daemon that receives more than it can execute at once.
 */
import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { PerTickLimit } from 'vkmemd/dist/limits/per-tick-limit.js';
import { tenantOfUid as tenant } from 'vkmemd/dist/policy/tenant.js';
import { ControlWire } from '../support/control-wire.js';
import { startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';

t.test('the number of requests of one user per turn is limited', async (t) => {
  const ticks = new PerTickLimit(3);
  const gone: number[] = [];
  const bring = (uid: number, what: number) => {
    const proceed = () => gone.push(what);
    const tick = ticks.take(tenant(uid));
    if (tick) void tick.then(proceed);
    else proceed();
  };
  for (let what = 0; what < 10; what += 1) bring(1, what);
  t.strictSame(gone, [0, 1], 'the request that reaches the limit waits too');
  bring(2, 100);
  t.equal(gone.at(-1), 100, 'another user has a limit of its own');
  await setImmediate();
  t.strictSame(gone.slice(3), [2, 3, 4], 'waiting requests continue in order');
  for (let turn = 0; turn < 5; turn += 1) await setImmediate();
  t.strictSame(gone.slice(3), [2, 3, 4, 5, 6, 7, 8, 9]);
  t.equal(ticks.size, 0, 'no state is left');
});

t.test('a request waits for as many units as it costs', async (t) => {
  const ticks = new PerTickLimit(3);
  const gone: string[] = [];
  const bring = (name: string, cost: number) => void ticks.take(tenant(1), cost)?.then(() => gone.push(name));
  bring('dear', 7);
  bring('cheap', 1);
  t.equal(ticks.take(tenant(2)), undefined, 'another user does not wait');
  await setImmediate();
  await setImmediate();
  t.strictSame(gone, [], 'six units are over');
  await setImmediate();
  t.strictSame(gone, ['dear', 'cheap']);
  for (let turn = 0; turn < 2; turn += 1) await setImmediate();
  t.equal(ticks.size, 0, 'no state is left');
});

t.test('no request of a burst is lost', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const wires = await Promise.all(Array.from({ length: 20 }, () => HandoffWire.open(runtimeDir)));
  const controls = Array.from({ length: 4 }, () => new ControlWire(runtimeDir));
  const asked = 50;
  for (const wire of wires) {
    for (let i = 0; i < asked; i += 1) wire.send({ release: { grantId: 77n } });
  }
  const calls = controls.flatMap((control) =>
    Array.from({ length: asked }, () => control.call('ListDevices', {})),
  );
  for (const wire of wires) {
    const sequences: bigint[] = [];
    while (sequences.length < asked) sequences.push((await wire.next()).message.sequence);
    t.strictSame(
      sequences,
      Array.from({ length: asked }, (_, i) => BigInt(i + 2)),
    );
  }
  t.equal((await Promise.all(calls)).length, controls.length * asked);
  for (const wire of wires) wire.close();
  for (const control of controls) control.close();
});
