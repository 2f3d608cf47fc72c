/**
 * The main use on a real driver: memory allocated on either plane, granted on the handoff socket, mapped in
 * another process without the client library, filled and copied by the device, and described completely.
 */
import {
  type Decoded,
  type Draft,
  heldElsewhere,
  mapFd,
  type OwnedFd,
  readSeals,
  SEALS,
  sizeOf,
  uuidText,
} from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { assertCounts, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { HealthClient } from '../support/health.js';

const MIB = 1024 * 1024;

function theOne<T>(list: readonly T[] | undefined): T {
  if (list?.length !== 1) throw new Error(`${list?.length} where one was expected`);
  return list[0] as T;
}

/** Maps a whole MAPPABLE grant, runs `use` on the bytes, and releases the mapping and the fd. */
function withBytes<T>(grant: Decoded<'Grant'>, fd: OwnedFd, use: (bytes: Buffer) => T): T {
  const length = Number(grant.mapSizeBytes);
  const mapping = mapFd(fd, { offset: grant.mapOffsetBytes, length, access: 'rw' });
  try {
    return use(Buffer.from(mapping.buffer));
  } finally {
    mapping.unmap();
    fd.close();
  }
}

t.test('two clients share memory that the device copied', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const producer = await HandoffWire.open(runtimeDir);
  const consumer = await HandoffWire.open(runtimeDir);
  const control = new ControlWire(runtimeDir);
  const request = {
    sizeBytes: BigInt(MIB),
    kinds: ['KIND_MAPPABLE'],
    grantKinds: ['KIND_MAPPABLE'],
  } as const;

  const first = await producer.ask({ allocate: { ...request, name: 'first' } });
  const source = theOne(first.message.allocate?.grants);
  withBytes(source, theOne(first.fds), (bytes) => {
    t.ok(
      bytes.every((byte) => byte === 0),
      'new memory is zero',
    );
    for (let i = 0; i < bytes.length; i += 1) bytes[i] = (i * 31) & 0xff;
  });
  await control.call('Allocate', { sizeBytes: BigInt(MIB), kinds: ['KIND_MAPPABLE'], name: 'second' });
  const copy = { source: { name: 'first' }, destination: { name: 'second' } };
  const copied = await control.call('Transfer', { copy });
  t.equal(copied.sizeBytes, BigInt(MIB), 'all of it was copied');
  t.ok(copied.durationNs > 0n);

  const claim = { allocation: { name: 'second' }, kinds: ['KIND_MAPPABLE'] } as const;
  const second = await consumer.ask({ claim });
  withBytes(theOne(second.message.claim?.grants), theOne(second.fds), (bytes) => {
    t.ok(
      bytes.every((byte, i) => byte === ((i * 31) & 0xff)),
      "the consumer sees the producer's bytes",
    );
  });
  const fill = { allocation: { name: 'second' }, offsetBytes: 4096n, sizeBytes: 8n, pattern: 0x04030201 };
  await control.call('Transfer', { fill });
  const retried = await consumer.ask({ claim });
  withBytes(theOne(retried.message.claim?.grants), theOne(retried.fds), (bytes) => {
    const words = bytes.subarray(4092, 4108);
    const beside = [4092, 4093, 4094, 4095, 4104, 4105, 4106, 4107].map((i) => (i * 31) & 0xff);
    const expected = [...beside.slice(0, 4), 1, 2, 3, 4, 1, 2, 3, 4, ...beside.slice(4)];
    t.strictSame([...words], expected, 'a fill writes only its own words');
  });
  await assertCounts(t, runtimeDir, { sessions: 2, allocations: 2, grants: 3, fds: 2, deviceMemories: 2 });
  await producer.ask({ release: { grantId: source.id } });
  for (const name of ['first', 'second']) await control.call('FreeAllocation', { allocation: { name } });
  producer.close();
  consumer.close();
  control.close();
});

/** The cache type of a mapping that Vulkan's property flags of a memory type imply. */
function cacheTypeOf(flags: number): string {
  const [hostVisible, hostCoherent, hostCached] = [flags & 2, flags & 4, flags & 8];
  if (!hostVisible) return 'CACHE_TYPE_NONE';
  if (hostCached) return 'CACHE_TYPE_CACHED';
  return hostCoherent ? 'CACHE_TYPE_WRITE_COMBINED' : 'CACHE_TYPE_UNCACHED';
}

t.test('a grant describes its handle completely', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const wire = await HandoffWire.open(runtimeDir);
  const control = new ControlWire(runtimeDir);
  const device = theOne((await control.call('ListDevices', {})).devices);
  for (const kind of ['KIND_MAPPABLE', 'KIND_OPAQUE_FD'] as const) {
    const { message, fds } = await wire.ask({
      allocate: { sizeBytes: 5000n, kinds: [kind], grantKinds: [kind] },
    });
    const allocation = message.allocate?.allocation;
    const grant = theOne(message.allocate?.grants);
    const fd = theOne(fds);
    t.equal(message.fdCount, 1);
    t.equal(allocation?.sizeBytes, 8192n, 'the size is rounded up to pages');
    t.equal(allocation?.lifetime, 'LIFETIME_SESSION');
    t.equal(allocation?.state, 'ALLOCATION_STATE_LIVE');
    t.equal(allocation?.ownerUid, process.getuid?.());
    const type = device.memoryTypes[grant.memoryTypeIndex];
    t.match(
      grant,
      {
        allocationId: allocation?.id,
        kind,
        access: 'ACCESS_READ_WRITE',
        readOnly: 'READ_ONLY_STRENGTH_UNSPECIFIED',
        fdCount: 1,
        mapOffsetBytes: 0n,
        mapSizeBytes: kind === 'KIND_MAPPABLE' ? 8192n : 0n,
        allocationSizeBytes: 8192n,
        memoryPropertyFlags: type?.propertyFlags,
        heapIndex: type?.heapIndex,
        dedicated: false,
        cacheType: cacheTypeOf(grant.memoryPropertyFlags),
        vulkanHandleType: kind === 'KIND_MAPPABLE' ? 0 : 1,
      },
      `every field of ${kind}`,
    );
    t.equal(uuidText(grant.deviceUuid), uuidText(device.deviceUuid));
    t.equal(uuidText(grant.driverUuid), uuidText(device.driverUuid));
    t.ok(Number(grant.grantedAt?.seconds) > 1_700_000_000, 'it has a time');
    if (kind === 'KIND_MAPPABLE') {
      t.equal(grant.fileSizeBytes, sizeOf(fd));
      const sealed = SEALS.SHRINK | SEALS.GROW | SEALS.SEAL;
      t.equal(readSeals(fd) & sealed, sealed, 'it cannot be resized');
      t.equal(heldElsewhere(fd), true, 'the daemon holds it too');
    }
    fd.close();
    await wire.ask({ free: { allocation: { id: grant.allocationId } } });
  }
  wire.close();
  control.close();
});

/** Both kinds on one allocation, where the driver allows it; otherwise the refusal states the reason. */
async function bothKinds(t: Test, wire: HandoffWire, control: ControlWire): Promise<void> {
  const kinds = ['KIND_MAPPABLE', 'KIND_OPAQUE_FD'] as const;
  const request: Draft<'AllocateRequest'> = { sizeBytes: 65_536n, kinds, grantKinds: kinds };
  try {
    const { message, fds } = await wire.ask({ allocate: request });
    t.equal(fds.length, 2, 'one fd for each kind');
    t.strictSame(
      message.allocate?.grants.map(({ kind }) => kind),
      kinds,
    );
    const allocation = { id: message.allocate?.allocation?.id ?? '' };
    await control.call('Transfer', { fill: { allocation, pattern: 0x5a5a5a5a } });
    const [mappable, opaque] = fds;
    withBytes(message.allocate?.grants[0] as Decoded<'Grant'>, mappable as OwnedFd, (bytes) => {
      t.ok(
        bytes.every((byte) => byte === 0x5a),
        "the mapping shows the device's bytes",
      );
    });
    opaque?.close();
    await wire.ask({ free: { allocation } });
  } catch (refusal) {
    t.match(refusal, { code: 'KIND_UNSUPPORTED', reason: /.{20}/ }, 'refused with the reason');
    t.comment(`both kinds together: ${(refusal as Error).message}`);
  }
}

t.test('both kinds on one allocation', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const wire = await HandoffWire.open(runtimeDir);
  const control = new ControlWire(runtimeDir);
  await bothKinds(t, wire, control);
  wire.close();
  control.close();
});

t.test('a read-only grant cannot be mapped for writing', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const wire = await HandoffWire.open(runtimeDir);
  const kinds = ['KIND_MAPPABLE'] as const;
  await wire.ask({ allocate: { sizeBytes: 4096n, kinds, name: 'ro' } });
  const { message, fds } = await wire.ask({
    claim: { allocation: { name: 'ro' }, kinds, access: 'ACCESS_READ_ONLY' },
  });
  const grant = theOne(message.claim?.grants);
  t.equal(grant.access, 'ACCESS_READ_ONLY');
  t.equal(grant.readOnly, 'READ_ONLY_STRENGTH_ADVISORY', "the daemon's own user could reopen it for writing");
  const fd = theOne(fds);
  t.throws(() => mapFd(fd, { offset: 0n, length: 4096, access: 'rw' }), { code: 'NOT_MAPPABLE' });
  fd.close();
  await wire.ask({ free: { allocation: { name: 'ro' } } });
  wire.close();
});

t.test('the control plane reports devices, allocations and budget', async (t) => {
  const { runtimeDir, line } = await startDaemon(t);
  const wire = await HandoffWire.open(runtimeDir);
  const control = ControlWire.withToken(runtimeDir, wire.welcome.sessionToken);
  const before = await control.budget();
  const { allocation } = await control.call('Allocate', { sizeBytes: 65_536n, kinds: ['KIND_MAPPABLE'] });
  t.equal(allocation?.lifetime, 'LIFETIME_SESSION', 'it belongs to the session of the token');
  const ref = { id: allocation?.id ?? '' };
  t.strictSame((await control.call('GetAllocation', { allocation: ref })).allocation, allocation);
  t.strictSame((await control.call('ListAllocations', {})).allocations, [allocation]);
  const during = await control.budget();
  for (const heap of during.heaps) {
    const was = before.heaps[heap.heapIndex];
    const mine = heap.heapIndex === allocation?.heapIndex ? 65_536n : 0n;
    t.equal(heap.liveBytes, mine, 'live bytes are counted');
    t.ok((was?.availableBytes ?? 0n) - heap.availableBytes >= mine, 'and are not available');
    t.ok(heap.driverBudgetBytes <= heap.sizeBytes);
    t.match(heap.source, /^BUDGET_SOURCE_(EXT|ESTIMATED)$/);
  }
  const devices = await control.call('ListDevices', {});
  t.equal(devices.incarnation, wire.welcome.incarnation);
  const device = theOne(devices.devices);
  t.ok(line.includes(device.name) && line.includes(device.driverInfo), 'it is the device of the start line');
  for (const { kind, rung } of device.kinds) {
    t.ok(
      line.includes(`${kind.replace('KIND_', '')} ${rung.replace('RUNG_', '')}`),
      `the start line has ${kind}`,
    );
  }
  t.equal(device.kinds.length, 4);
  const health = new HealthClient(control.client);
  t.equal(await health.status(''), 'SERVING');
  t.equal(await health.status('vkmem.v1.MemoryService'), 'SERVING');
  t.match(await health.reflectedServices(), [
    'vkmem.v1.DeviceService',
    'vkmem.v1.IvshmemService',
    'vkmem.v1.MemoryService',
    'vkmem.v1.PolicyService',
    'vkmem.v1.SemaphoreService',
    'vkmem.v1.StatusService',
  ]);
  wire.close();
  await assertCounts(t, runtimeDir, {});
  await t.rejects(
    control.call('ListAllocations', {}),
    { code: 'SESSION_INVALID' },
    'the token ended with its session',
  );
  control.close();
});
