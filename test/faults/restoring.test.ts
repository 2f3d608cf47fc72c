/**
 * Memory that a restarted daemon grants before its device has imported it, and before that device is open. The fake
 * driver is slow; /proc/driver/nvidia, which says that device and driver are the same, is a folder of the test.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Decoded, type OwnedFd, uuidText } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { claim, nothingLeft } from '../store/support.js';
import { ControlWire } from '../support/control-wire.js';
import { temporaryFolder } from '../support/daemon.js';
import { FakeLayer } from '../support/fake-layer.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { SupervisedDaemon, until } from '../support/supervised-daemon.js';
import { wireKinds } from './support.js';

const NVIDIA = 'driver_id 4';
const SLOW_OPEN = 'delay vkCreateDevice * 8000';
/** More than a start imports before it serves. */
const MANY = 80;
const SIZE = 65_536n;
const skip = process.getuid?.() === 0 ? false : 'needs root, for a mount namespace';

/** Mounts the folder $0 over /proc/driver and executes the other arguments. */
const MOUNTED = 'mount --bind "$0" /proc/driver && exec "$@"';

interface Host {
  readonly layer: FakeLayer;
  readonly daemon: SupervisedDaemon;
  /** In which the kernel's driver describes itself. */
  readonly folder: string;
  /** Says that the kernel has this version of the driver. */
  version(version: string): void;
}

async function started(t: Test, lines: readonly string[] = [NVIDIA]): Promise<Host> {
  const layer = new FakeLayer(t, ...lines);
  const folder = temporaryFolder(t);
  const nvidia = join(folder, 'nvidia');
  mkdirSync(join(nvidia, 'gpus/0000:01:00.0'), { recursive: true });
  const version = (text: string) => writeFileSync(join(nvidia, 'version'), `NVRM version: ${text}\n`);
  version('1.0');
  const before = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', MOUNTED, folder];
  const daemon = await SupervisedDaemon.start(t, { env: layer.environment, before });
  const control = new ControlWire(daemon.runtimeDir);
  const { devices } = await control.call('ListDevices', {});
  const information = join(nvidia, 'gpus/0000:01:00.0/information');
  writeFileSync(information, `GPU UUID: \t GPU-${uuidText(devices[0]?.deviceUuid ?? new Uint8Array(16))}\n`);
  control.close();
  return { layer, daemon, folder: nvidia, version };
}

const statusOf = async (daemon: SupervisedDaemon): Promise<Decoded<'GetStatusResponse'>> => {
  const wire = new HandoffWire(daemon.runtimeDir);
  const { message } = await wire.ask({ getStatus: {} });
  wire.close();
  if (!message.getStatus) throw new Error('no status');
  return message.getStatus;
};

async function make(daemon: SupervisedDaemon, name: string, kind: 'MAPPABLE' | 'OPAQUE_FD' = 'OPAQUE_FD') {
  const control = new ControlWire(daemon.runtimeDir);
  const kinds = wireKinds(kind);
  const { allocation } = await control.call('Allocate', { sizeBytes: SIZE, kinds, name });
  await control.call('Transfer', { fill: { allocation: { name }, pattern: 0x0707_0707 } });
  control.close();
  return allocation?.id ?? '';
}

const stateOf = async (daemon: SupervisedDaemon, name: string) => {
  const control = new ControlWire(daemon.runtimeDir);
  const { allocation } = await control.call('GetAllocation', { allocation: { name } });
  control.close();
  return allocation?.state;
};

t.setTimeout(120_000);

/** Kills the daemon; resolves to a session with the next one as soon as that answers. */
async function restarted(daemon: SupervisedDaemon) {
  await daemon.kill();
  daemon.hurry();
  return daemon.open();
}

/** Waits for the ends of closed sessions: the next daemon would keep those of this process, which lives. */
async function withoutSessions(daemon: SupervisedDaemon): Promise<void> {
  await until('the ends of sessions', async () => {
    const control = new ControlWire(daemon.runtimeDir);
    const { counts } = await control.budget();
    control.close();
    return counts.sessions === 0 || undefined;
  });
}

async function granted(wire: Awaited<ReturnType<SupervisedDaemon['open']>>, name: string): Promise<OwnedFd> {
  const { message, fds } = await wire.ask({ claim: { allocation: { name }, kinds: wireKinds('OPAQUE_FD') } });
  const [fd] = fds;
  if (!fd) throw new Error(`no fd: ${JSON.stringify(message.error)}`);
  return fd;
}

t.test('kept memory is granted while the device is being opened', { skip }, async (t) => {
  const { layer, daemon } = await started(t);
  // A second start knows the device: the first one could not yet find it in the folder of the kernel's driver.
  (await restarted(daemon)).close();
  await daemon.serving();
  await make(daemon, 'opaque');
  await make(daemon, 'mapped', 'MAPPABLE');
  layer.script(NVIDIA, SLOW_OPEN);
  const wire = await restarted(daemon);
  const fd = await granted(wire, 'opaque');
  const mapped = await claim(wire, { name: 'mapped' });
  await daemon.serving();
  const { ready, reasons } = await statusOf(daemon);
  t.equal(ready, false, 'the device is not open yet');
  t.match(reasons, [{ code: 'UNAVAILABLE', message: /being opened/ }]);
  t.equal(await stateOf(daemon, 'opaque'), 'ALLOCATION_STATE_RESTORING');

  // What needs the device waits for it; what does not is served.
  const control = new ControlWire(daemon.runtimeDir);
  const { counts, heaps } = await control.call('GetBudget', {});
  t.match(counts, { allocations: 2, deviceMemories: 0 });
  t.match(heaps, [{ source: 'BUDGET_SOURCE_ESTIMATED', liveBytes: 2n * SIZE }]);
  t.equal((await statusOf(daemon)).ready, false, 'the budget is estimated meanwhile');
  await control.call('FreeAllocation', { allocation: { name: 'mapped' } });
  const copied = control.call('Transfer', { fill: { allocation: { name: 'opaque' }, pattern: 1 } });
  const made = make(daemon, 'new');
  t.equal((await statusOf(daemon)).ready, false);
  await copied;
  await made;
  await until('a daemon that is ready', async () => (await statusOf(daemon)).ready || undefined);
  t.equal(await stateOf(daemon, 'opaque'), 'ALLOCATION_STATE_LIVE');
  for (const one of [fd, mapped.fd]) one.close();
  for (const name of ['opaque', 'new']) await control.call('FreeAllocation', { allocation: { name } });
  control.close();
  wire.close();
  layer.script(NVIDIA);
  await nothingLeft(t, daemon);
});

t.test(
  'with another kernel driver, or one that does not list the device, that is opened first',
  {
    skip,
  },
  async (t) => {
    const { layer, daemon, folder, version } = await started(t);
    (await restarted(daemon)).close();
    layer.script(NVIDIA, 'delay vkCreateDevice * 300');
    const changes = {
      'the driver is replaced': () => version('2.0'),
      'it does not list the device': () => rmSync(join(folder, 'gpus'), { recursive: true }),
      'it is not loaded': () => rmSync(join(folder, 'version')),
    };
    for (const [what, change] of Object.entries(changes)) {
      await daemon.serving();
      change();
      const wire = await restarted(daemon);
      t.equal((await statusOf(daemon)).ready, true, what);
      wire.close();
    }
    layer.script(NVIDIA);
    await daemon.serving();
    await nothingLeft(t, daemon);
  },
);

t.test(
  'a known device that has changed, or cannot be opened, ends the daemon; the next one opens it first',
  {
    skip,
  },
  async (t) => {
    const { layer, daemon } = await started(t);
    (await restarted(daemon)).close();
    await daemon.serving();
    const id = await make(daemon, 'kept');
    for (const [line, said] of [
      ['driver_id 5', /is not as the daemon before it knew it/],
      [
        'fail vkCreateDevice * VK_ERROR_INITIALIZATION_FAILED',
        /vkCreateDevice: VK_ERROR_INITIALIZATION_FAILED/,
      ],
    ] as const) {
      layer.script(...(line.startsWith('driver_id') ? [] : [NVIDIA]), line);
      await daemon.kill();
      daemon.hurry();
      await until(`the end of a daemon\n${daemon.log}`, () => said.test(daemon.log) || undefined);
      layer.script(NVIDIA);
      daemon.hurry();
      await daemon.serving();
      const wire = await daemon.open();
      (await granted(wire, 'kept')).close();
      wire.close();
      const control = new ControlWire(daemon.runtimeDir);
      t.match(
        await control.call('GetAllocation', { allocation: { name: 'kept' } }),
        { allocation: { id } },
        line,
      );
      control.close();
      await withoutSessions(daemon);
      // Known again.
      (await restarted(daemon)).close();
      await daemon.serving();
    }
    const control = new ControlWire(daemon.runtimeDir);
    await control.call('FreeAllocation', { allocation: { name: 'kept' } });
    control.close();
    await nothingLeft(t, daemon);
  },
);

t.test('many allocations are imported while they are served', async (t) => {
  const layer = new FakeLayer(t);
  const daemon = await SupervisedDaemon.start(t, { env: layer.environment });
  for (let index = 0; index < MANY; index += 1) await make(daemon, `m${index}`);
  layer.script('delay vkAllocateMemory * 100');
  const wire = await restarted(daemon);
  const fd = await granted(wire, `m${MANY - 1}`);
  await daemon.serving();
  t.equal(await stateOf(daemon, `m${MANY - 1}`), 'ALLOCATION_STATE_RESTORING');
  const control = new ControlWire(daemon.runtimeDir);
  const copy = { source: { name: `m${MANY - 1}` }, destination: { name: `m${MANY - 2}` }, sizeBytes: SIZE };
  await control.call('Transfer', { copy });
  t.equal(
    await stateOf(daemon, `m${MANY - 1}`),
    'ALLOCATION_STATE_LIVE',
    'a transfer imports its own memory',
  );
  await control.call('FreeAllocation', { allocation: { name: `m${MANY - 3}` } });
  const states = async () => {
    const { allocations } = await control.call('ListAllocations', { pageSize: 500 });
    return new Set(allocations.map(({ state }) => state));
  };
  await until(
    'all are imported',
    async () => !(await states()).has('ALLOCATION_STATE_RESTORING') || undefined,
  );
  t.match(daemon.log, /the device has imported \d+ of 80 restored allocations/);
  fd.close();
  wire.close();
  await withoutSessions(daemon);
  layer.script('fail vkAllocateMemory * VK_ERROR_OUT_OF_DEVICE_MEMORY');
  const next = await restarted(daemon);
  await until(
    'they are degraded',
    async () => (await states()).has('ALLOCATION_STATE_DEGRADED') || undefined,
  );
  (await granted(next, 'm0')).close();
  layer.script();
  await until('they are imported again', async () => {
    const all = await states();
    return (all.size === 1 && all.has('ALLOCATION_STATE_LIVE')) || undefined;
  });
  for (let index = 0; index < MANY; index += 1) {
    if (index !== MANY - 3) await control.call('FreeAllocation', { allocation: { name: `m${index}` } });
  }
  for (const end of [next, control]) end.close();
  await nothingLeft(t, daemon);
});

t.test('a semaphore outlives a device that cannot be opened', { skip }, async (t) => {
  const { layer, daemon } = await started(t, [NVIDIA, 'semaphores fake']);
  (await restarted(daemon)).close();
  await daemon.serving();
  const first = await daemon.open();
  await first.ask({
    createSemaphore: { type: 'SEMAPHORE_TYPE_TIMELINE', kinds: ['SEMAPHORE_KIND_OPAQUE_FD'], name: 'kept' },
  });
  layer.script(NVIDIA, 'semaphores fake', 'fail vkCreateDevice * VK_ERROR_INITIALIZATION_FAILED');
  await daemon.kill();
  daemon.hurry();
  const said = /vkCreateDevice: VK_ERROR_INITIALIZATION_FAILED/;
  await until(`the end of a daemon\n${daemon.log}`, () => said.test(daemon.log) || undefined);
  layer.script(NVIDIA, 'semaphores fake');
  daemon.hurry();
  await daemon.serving();
  const wire = await daemon.open();
  const { message } = await wire.ask({ freeSemaphore: { semaphore: { name: 'kept' } } });
  t.ok(message.freeSemaphore, 'its record is there');
  t.notMatch(daemon.log, /semaphore kept is lost/);
  for (const end of [first, wire]) end.close();
  await nothingLeft(t, daemon);
});

t.test('a daemon that stops while it opens its device leaves what it knows', { skip }, async (t) => {
  const { layer, daemon } = await started(t);
  (await restarted(daemon)).close();
  await daemon.serving();
  const id = await make(daemon, 'kept');
  layer.script(NVIDIA, 'delay vkCreateDevice * 3000');
  (await restarted(daemon)).close();
  const { pid } = daemon;
  t.equal((await statusOf(daemon)).ready, false);
  await daemon.kill('SIGTERM');
  t.ok(pid);
  daemon.hurry();
  const wire = await daemon.open();
  t.equal((await statusOf(daemon)).ready, false, 'the next one serves before its device is open too');
  (await granted(wire, 'kept')).close();
  const control = new ControlWire(daemon.runtimeDir);
  await daemon.serving();
  t.match(await control.call('GetAllocation', { allocation: { name: 'kept' } }), { allocation: { id } });
  await control.call('FreeAllocation', { allocation: { name: 'kept' } });
  for (const end of [control, wire]) end.close();
  layer.script(NVIDIA);
  await nothingLeft(t, daemon);
});
