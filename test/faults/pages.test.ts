/**
 * Devices on which dedicated memory has larger pages, and others: what the daemon measures, what it makes of a request,
 * and what allocations, grants and the report on the device say. What is measured is kept for the next start.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Decoded } from '@vkmemd/proto';
import t from 'tap';
import { parsed, vkmemctl } from '../cli/support.js';
import { nothingLeft } from '../store/support.js';
import { ControlWire } from '../support/control-wire.js';
import { FakeLayer } from '../support/fake-layer.js';
import { SupervisedDaemon } from '../support/supervised-daemon.js';
import {
  allocate,
  claim,
  importElsewhere,
  onFake,
  refusalOf,
  release,
  sha256,
  wireKinds,
} from './support.js';

const [TRANSFER, STORAGE] = [3, 0x20];
const MEASURED = 256n << 20n;
/** The least that has large pages. */
const SIZE = 2n << 20n;
const kinds = wireKinds('OPAQUE_FD');
const image = { type: 'IMAGE_TYPE_2D', format: 37, width: 33, height: 17, usage: 4 } as const;
const SLOW = ['device_type discrete', 'plain_delay 8'];

async function measurementOf(control: ControlWire): Promise<Decoded<'PageMeasurement'>> {
  const { devices } = await control.call('ListDevices', {});
  const found = devices[0]?.pageMeasurement;
  if (!found) throw new Error('the report has no measurement');
  return found;
}

/** The allocations of the size that is measured: 1 where they were dedicated. */
const measuredIn = (layer: FakeLayer): string[] =>
  layer
    .calls('vkAllocateMemory')
    .filter(({ values }) => values.size === String(MEASURED))
    .map(({ values }) => values.dedicated ?? '');

t.test('a device on which dedicated memory has larger pages', async (t) => {
  await onFake(t, SLOW, async (host) => {
    const measured = await measurementOf(host.control);
    t.match(measured, { sizeBytes: MEASURED, prefersDedicated: true, cached: false });
    t.match(
      measured.reason,
      /256 MiB took plain [0-9.]+ ms, dedicated [0-9.]+ ms: dedicated memory has larger pages/,
    );
    t.ok(measured.plainNanoseconds > 2n * measured.dedicatedNanoseconds);
    const doctor = await vkmemctl(host.runtimeDir, 'doctor', '--json');
    t.match(parsed(doctor).devices[0].pages, { prefersDedicated: true, sizeBytes: Number(MEASURED) });
    t.match((await vkmemctl(host.runtimeDir, 'doctor')).stdout.replaceAll(/\s+/g, ' '), measured.reason);
    const alloc = ['alloc', 'x', '--size', '2M', '--kind', 'opaque_fd'];
    t.match(
      (await vkmemctl(host.runtimeDir, ...alloc)).stdout,
      /dedicated,\s+by\s+measurement,\s+large\s+pages\./,
    );
    await host.free({ name: 'x' });
    t.equal(measuredIn(host.layer)[0], '0', 'plain memory is measured');
    t.equal(measuredIn(host.layer)[1], '1', 'and dedicated memory');

    const wire = await host.session();
    const large = { pageSize: 'PAGE_SIZE_LARGE', dedicated: true };
    const cases = [
      [{}, { ...large, dedicatedBy: 'DEDICATED_BY_MEASUREMENT', buffer: { usage: TRANSFER } }],
      [{ dedication: 'DEDICATION_ALWAYS' }, { ...large, dedicatedBy: 'DEDICATED_BY_REQUEST' }],
      [{ buffer: { usage: STORAGE } }, { ...large, buffer: { usage: STORAGE | TRANSFER } }],
      [{ hints: { powerOfTwo: true } }, large],
      [
        { dedication: 'DEDICATION_NEVER' },
        {
          pageSize: 'PAGE_SIZE_SMALL',
          dedicated: false,
          dedicatedBy: 'DEDICATED_BY_REQUEST',
          buffer: null,
          requirements: null,
        },
      ],
    ] as const;
    for (const [wanted, expected] of cases) {
      const made = await allocate(wire, { sizeBytes: SIZE, kinds, ...wanted });
      const what = JSON.stringify(wanted);
      t.match(made.allocation, expected, what);
      t.match(made.grants[0], expected, `${what}: the grant`);
      await host.fill(made.id, 0x5a5a5a5a);
      const imported = { dedicated: expected.dedicated, sha256: sha256(SIZE, 0x5a) };
      t.match(await importElsewhere(host, made), imported, `${what}: an importer needs only the grant`);
      await release(made);
    }
    const later = await allocate(wire, { sizeBytes: SIZE, kinds, grantKinds: [] });
    const claimed = await claim(wire, later.id, 'OPAQUE_FD');
    t.match(claimed.grants[0], large, 'a later claim');
    for (const fd of claimed.fds) fd.close();
    await release(later);

    const tiny = await allocate(wire, { sizeBytes: 4096n, kinds });
    t.match(
      tiny.allocation,
      { dedicated: true, pageSize: 'PAGE_SIZE_UNSPECIFIED' },
      'a page is no large page',
    );
    await release(tiny);
    const others = [
      [{ sizeBytes: SIZE, kinds: wireKinds('MAPPABLE') }, 'DEDICATED_BY_UNSPECIFIED'],
      [{ sizeBytes: 0n, kinds, image }, 'DEDICATED_BY_DEFAULT'],
    ] as const;
    for (const [wanted, dedicatedBy] of others) {
      const made = await allocate(wire, wanted);
      t.match(made.allocation, { pageSize: 'PAGE_SIZE_UNSPECIFIED', dedicated: false, dedicatedBy });
      await release(made);
    }
    const mapped = {
      sizeBytes: SIZE,
      kinds: wireKinds('MAPPABLE'),
      dedication: 'DEDICATION_ALWAYS',
    } as const;
    t.match(await refusalOf(allocate(wire, mapped)), {
      code: 'KIND_UNSUPPORTED',
      reason: /the request requires/,
    });
    const unknown = allocate(wire, { sizeBytes: SIZE, kinds, dedication: 9 as unknown as 'DEDICATION_AUTO' });
    t.match(await refusalOf(unknown), { code: 'INVALID_ARGUMENT', reason: /dedication is 9/ });
  });
});

t.test('a device that shows no difference', async (t) => {
  await onFake(t, ['device_type discrete', 'delay vkAllocateMemory * 3'], async (host) => {
    t.match(await measurementOf(host.control), {
      sizeBytes: MEASURED,
      prefersDedicated: false,
      reason: /no larger/,
    });
    const wire = await host.session();
    const plain = await allocate(wire, { sizeBytes: SIZE, kinds });
    const dedicatedBy = 'DEDICATED_BY_MEASUREMENT';
    t.match(plain.allocation, {
      dedicated: false,
      pageSize: 'PAGE_SIZE_UNSPECIFIED',
      dedicatedBy,
      buffer: null,
    });
    await release(plain);
    const always = await allocate(wire, { sizeBytes: SIZE, kinds, dedication: 'DEDICATION_ALWAYS' });
    t.match(always.allocation, {
      dedicated: true,
      pageSize: 'PAGE_SIZE_UNSPECIFIED',
      buffer: { usage: TRANSFER },
    });
    await release(always);
  });
});

t.test('what cannot be dedicated is plain, without the request', async (t) => {
  await onFake(t, [...SLOW, 'rdma present'], async (host) => {
    const wire = await host.session();
    // Of another type than the measured one: the fake's for RDMA.
    const { devices } = await host.control.call('ListDevices', {});
    const other = devices[0]?.memoryTypes.length ?? 0;
    const wanted = { sizeBytes: SIZE, kinds, memoryTypeIndex: other - 1 } as const;
    const auto = await allocate(wire, wanted);
    const unknown = { pageSize: 'PAGE_SIZE_UNSPECIFIED', memoryTypeIndex: other - 1 };
    t.match(auto.allocation, { ...unknown, dedicated: false, dedicatedBy: 'DEDICATED_BY_DEFAULT' });
    await release(auto);
    const always = await allocate(wire, { ...wanted, dedication: 'DEDICATION_ALWAYS' });
    t.match(always.allocation, { ...unknown, dedicated: true, dedicatedBy: 'DEDICATED_BY_REQUEST' });
    await release(always);
    host.layer.script(...SLOW, 'rdma present', 'fail vkCreateBuffer 1 VK_ERROR_OUT_OF_DEVICE_MEMORY');
    const plain = await allocate(wire, { sizeBytes: 3n << 20n, kinds });
    const fallback = { dedicated: false, pageSize: 'PAGE_SIZE_SMALL', dedicatedBy: 'DEDICATED_BY_DEFAULT' };
    t.match(plain.allocation, fallback, 'the driver makes no buffer of that size');
    await release(plain);
  });
});

t.test('a device without memory for the measurement', async (t) => {
  const full = 'fail vkAllocateMemory * VK_ERROR_OUT_OF_DEVICE_MEMORY';
  await onFake(t, ['device_type discrete', full], async (host) => {
    t.match(await measurementOf(host.control), {
      sizeBytes: 0n,
      prefersDedicated: false,
      reason: /not be allocated/,
    });
  });
});

t.test('a driver that requires dedicated memory', async (t) => {
  await onFake(t, ['device_type discrete', 'dedicated_only buffers'], async (host) => {
    t.match(await measurementOf(host.control), {
      sizeBytes: 0n,
      reason: /the driver requires dedicated memory/,
    });
    const wire = await host.session();
    const made = await allocate(wire, { sizeBytes: SIZE, kinds });
    t.match(made.allocation, { dedicated: true, dedicatedBy: 'DEDICATED_BY_DRIVER' });
    await release(made);
    const never = allocate(wire, { sizeBytes: SIZE, kinds, dedication: 'DEDICATION_NEVER' });
    t.match(await refusalOf(never), { code: 'KIND_UNSUPPORTED', reason: /has the dedication NEVER/ });
  });
});

t.test('a CPU device is not measured', async (t) => {
  await onFake(t, ['plain_delay 8'], async (host) => {
    t.match(await measurementOf(host.control), {
      sizeBytes: 0n,
      prefersDedicated: false,
      reason: /CPU device/,
    });
    t.strictSame(measuredIn(host.layer), []);
    const wire = await host.session();
    const made = await allocate(wire, { sizeBytes: SIZE, kinds });
    t.match(made.allocation, { dedicated: false, dedicatedBy: 'DEDICATED_BY_DEFAULT' });
    await release(made);
  });
});

t.test('a start takes over what an earlier one measured', async (t) => {
  const layer = new FakeLayer(t, ...SLOW);
  const daemon = await SupervisedDaemon.start(t, { env: layer.environment });
  const asked = async () => {
    const control = new ControlWire(daemon.runtimeDir);
    const found = await measurementOf(control);
    control.close();
    return found;
  };
  const first = await asked();
  t.match(first, { prefersDedicated: true, cached: false });
  const calls = measuredIn(layer).length;
  const wire = await daemon.open();
  const made = await allocate(wire, { sizeBytes: SIZE, kinds, grantKinds: [], name: 'kept' });
  wire.close();

  await daemon.kill();
  await daemon.serving();
  t.strictSame(await asked(), { ...first, cached: true });
  t.equal(measuredIn(layer).length, calls, 'nothing is measured again');
  const again = await daemon.open();
  const kept = await claim(again, made.id, 'OPAQUE_FD');
  const large = { dedicated: true, pageSize: 'PAGE_SIZE_LARGE', dedicatedBy: 'DEDICATED_BY_MEASUREMENT' };
  t.match(kept.grants[0], large, 'memory of the earlier daemon is what it was');
  t.match(await importElsewhere({ layer }, kept), { dedicated: true, sha256: sha256(SIZE, 0) });
  await release(kept);
  again.close();

  const file = join(daemon.runtimeDir, 'state/pages.json');
  t.equal(Object.keys(JSON.parse(readFileSync(file, 'utf8'))).length, 1);
  for (const text of ['', '[1]', '{"a":', readFileSync(file, 'utf8').replaceAll(/"[0-9]+"/g, '"x"')]) {
    writeFileSync(file, text);
    const before = measuredIn(layer).length;
    await daemon.kill();
    await daemon.serving();
    t.match(
      await asked(),
      { prefersDedicated: true, cached: false },
      `a file of ${JSON.stringify(text.slice(0, 9))}`,
    );
    t.ok(measuredIn(layer).length > before, 'is measured anew');
  }
  await nothingLeft(t, daemon);
});
