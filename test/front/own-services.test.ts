/** What gRPC's server in the front answers by itself, in the bundled program too: health, reflection, refusals. */
import { DEVICE_HEALTH, STATUS_METADATA, unpackStatus, VkmemError } from '@vkmemd/proto';
import t from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { assertNoLeaks, startDaemon } from '../support/daemon.js';
import { HealthClient } from '../support/health.js';
import { anotherFront } from './support.js';

const SERVICES = ['', 'vkmem.v1.MemoryService', 'vkmem.v1.StatusService', DEVICE_HEALTH];
/** As in daemon/front/own-rates.ts. */
const [BURST, PER_SECOND] = [100, 100];
const FLOOD = 400;

t.test('health and reflection', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const control = new ControlWire(runtimeDir);
  const health = new HealthClient(control.client);
  for (const service of SERVICES) t.equal(await health.status(service), 'SERVING', service);
  await t.rejects(health.status('another'), { code: 5 });
  const names = await health.reflectedServices();
  t.ok(names.includes('vkmem.v1.MemoryService'), names.join());
  control.close();
  await assertNoLeaks(t, runtimeDir);
});

t.test('they have a rate by tenant, and other calls do not wait for it', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const [one, other] = [new ControlWire(runtimeDir), new ControlWire(runtimeDir)];
  const began = performance.now();
  const asked = [one, other].flatMap(({ client }) => {
    const health = new HealthClient(client);
    return Array.from({ length: FLOOD / 2 }, () => health.status('').then(String, codeOf));
  });
  const outcomes = await Promise.all(asked);
  const most = BURST + ((performance.now() - began) / 1000) * PER_SECOND + 1;
  const refused = outcomes.filter((outcome) => outcome === 'RATE_LIMITED').length;
  const served = outcomes.filter((outcome) => outcome === 'SERVING').length;
  t.equal(refused + served, FLOOD, [...new Set(outcomes)].join());
  t.ok(served >= BURST && served <= most, `${served} served of at least ${BURST} and at most ${most}`);
  t.ok(await one.budget(), 'a call to the core');
  for (const each of [one, other]) each.close();
  await assertNoLeaks(t, runtimeDir);
});

t.test('metadata of any length', async (t) => {
  const daemon = await startDaemon(t);
  const { runtimeDir } = daemon;
  const front = await anotherFront(daemon);
  const long = 'x'.repeat(8000);
  const names = { 'vkmem-session': 'SESSION_INVALID', 'vkmem-protocol-version': 'VERSION_UNSUPPORTED' };
  // The largest request that is one part.
  const request = Buffer.alloc(60 * 1024);
  for (const [name, code] of Object.entries(names)) {
    const control = new ControlWire(runtimeDir, { [name]: long });
    t.equal(await control.budget().then(() => 'served', codeOf), code, name);
    t.equal(
      await control.callRaw('GetBudget', request).then(() => 'served', codeOf),
      code,
      'with a large request',
    );
    control.close();
  }
  const control = new ControlWire(runtimeDir, { traceparent: long });
  t.ok(await control.budget(), 'traceparent');
  control.close();
  t.equal(await anotherFront(daemon), front, 'it is the same front');
  await assertNoLeaks(t, runtimeDir);
});

/** The catalogue's code of a failed call. */
function codeOf(failure: unknown): string {
  if (failure instanceof VkmemError) return failure.code;
  const details = (failure as { metadata?: { get(key: string): unknown[] } }).metadata?.get(STATUS_METADATA);
  return details?.[0] ? unpackStatus(details[0] as Buffer).code : String(failure);
}
