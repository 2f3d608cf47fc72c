/** One open file, imported several times: each import survives the daemon separately. */
import { addSeals, createMemfd, type OwnedFd, SEALS } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { Device } from 'vkmemd/dist/vulkan/device.js';
import { ownFile } from 'vkmemd/dist/vulkan/foreign-handle.js';
import type { ImportTerms } from 'vkmemd/dist/vulkan/imports.js';
import { driverUnderTest } from '../support/daemon.js';
import { type Greeted, SupervisedDaemon } from '../support/supervised-daemon.js';
import { controlled, list, nothingLeft } from './support.js';

process.env.VK_DRIVER_FILES = driverUnderTest();

const SIZE = 65_536n;
const OPAQUE = ['KIND_OPAQUE_FD'] as const;
const policy = '[[rule]]\nuid = 0\nimport = true\n';

async function importAs(wire: Greeted, name: string, fd: OwnedFd, more: object): Promise<void> {
  wire.send({ import: { sizeBytes: SIZE, name, ...more } }, [fd.dup()]);
  const { message } = await wire.next();
  if (!message.import?.allocation?.kept)
    throw new Error(JSON.stringify(message.error ?? 'it is not persisted'));
}

/** Frees all but the last, kills the daemon, and checks that the last exists. */
async function lastStays(
  t: Test,
  daemon: SupervisedDaemon,
  wire: Greeted,
  names: readonly string[],
): Promise<void> {
  for (const name of names.slice(0, -1)) await wire.ask({ free: { allocation: { name } } });
  await daemon.kill();
  await daemon.serving();
  const last = names.at(-1) ?? '';
  t.match(await list(daemon), [{ name: last, state: 'ALLOCATION_STATE_LIVE', imported: true }]);
  await controlled(daemon, (control) => control.call('FreeAllocation', { allocation: { name: last } }));
  wire.close();
  await nothingLeft(t, daemon);
}

t.test('a memfd that is imported three times', async (t) => {
  const daemon = await SupervisedDaemon.start(t, { policy });
  const wire = await daemon.open();
  using memfd = await createMemfd('test', SIZE);
  const names = ['one', 'two', 'three'];
  for (const name of names) await importAs(wire, name, memfd, { source: 'KIND_MAPPABLE' });
  await lastStays(t, daemon, wire, names);
});

t.test('a granted OPAQUE_FD that is imported', async (t) => {
  const daemon = await SupervisedDaemon.start(t, { policy });
  const wire = await daemon.open();
  const [device] = await controlled(
    daemon,
    async (control) => (await control.call('ListDevices', {})).devices,
  );
  const { message, fds } = await wire.ask({
    allocate: { sizeBytes: SIZE, kinds: OPAQUE, grantKinds: OPAQUE, name: 'first' },
  });
  const { memoryTypeIndex } = message.allocate?.allocation ?? {};
  const { deviceUuid, driverUuid } = device ?? {};
  const terms = { source: 'KIND_OPAQUE_FD', memoryTypeIndex, deviceUuid, driverUuid };
  using fd = fds[0] as OwnedFd;
  for (const name of ['second', 'third']) await importAs(wire, name, fd, terms);
  for (const { id } of message.allocate?.grants ?? []) await wire.ask({ release: { grantId: id } });
  await lastStays(t, daemon, wire, ['first', 'second', 'third']);
});

t.test('an fd that cannot be reopened is recognised as the same file', async (t) => {
  const device = await Device.open();
  using memfd = await createMemfd('test', SIZE, { sealed: false });
  addSeals(memfd, SEALS.SEAL);
  const terms = { source: 'MEMFD', size: 0n, kinds: [] } as unknown as ImportTerms;
  const plan = await device.planImport(terms, memfd);
  const one = await device.import(terms, plan, memfd.dup());
  const two = await device.import(terms, plan, memfd.dup());
  const three = await device.import(terms, plan, ownFile(memfd, 'MEMFD'));
  t.equal(one.sharesFile(two), true);
  t.equal(one.sharesFile(three), false);
  await one.freeDevice();
  t.equal(one.sharesFile(two), false, 'a freed allocation has no file');
  for (const memory of [two, three]) await memory.freeDevice();
  await device.close();
});
