/**
 * Memory that ends with a lost device: a request of a client with access to it fails with the reason, its
 * grants drain, and its name can be used again.
 */
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '@vkmemd/client';
import t from 'tap';
import type { HandoffWire } from '../support/handoff-wire.js';
import { asOtherUser, noOtherUser } from '../support/uid.js';
import {
  allocate,
  claim,
  type FakeHost,
  loseDevice,
  mapped,
  onFake,
  refusalOf,
  release,
  SIZE,
  stillServes,
  wireKinds,
} from './support.js';

const mappable = wireKinds('MAPPABLE');
const opaque = wireKinds('OPAQUE_FD');
const lost = { code: 'DEVICE_LOST' };

/** The codes of all requests that refer to an allocation. */
async function everyWay(host: FakeHost, wire: HandoffWire, ref: { id: string } | { name: string }) {
  const { control } = host;
  const kinds = opaque;
  return Promise.all(
    [
      control.call('GetAllocation', { allocation: ref }),
      control.call('FreeAllocation', { allocation: ref }),
      control.call('Transfer', { fill: { allocation: ref, pattern: 1 } }),
      control.call('Transfer', { copy: { source: ref, destination: ref } }),
      wire.ask({ claim: { allocation: ref, kinds } }),
    ].map(async (request) => (await refusalOf(request)).code),
  );
}

t.test('memory that is not a memfd ends: later requests state the reason, its grants drain', async (t) => {
  await onFake(t, ['rdma present'], async (host) => {
    const wire = await host.session();
    const reader = await host.session();
    const rdma = wireKinds('RDMA_ADDRESS');
    const made = await allocate(wire, { sizeBytes: SIZE, kinds: opaque, name: 'opaque' });
    const held = await claim(reader, made.id, 'OPAQUE_FD');
    const ungranted = await allocate(wire, {
      sizeBytes: SIZE,
      kinds: opaque,
      grantKinds: [],
      name: 'ungranted',
    });
    const address = await allocate(wire, { sizeBytes: SIZE, kinds: rdma, name: 'address' });
    await loseDevice(host, 'rdma present');
    await stillServes(host);
    const { heaps, counts } = await host.control.budget();
    t.match(heaps[0], { liveBytes: 0n, drainingBytes: SIZE * 2n }, 'granted memory drains');
    t.match(counts, { allocations: 0, drainingAllocations: 2, grants: 3, deviceMemories: 0 });
    for (const { id, allocation } of [made, ungranted, address]) {
      const reported = Array(5).fill('DEVICE_LOST');
      t.strictSame(await everyWay(host, wire, { id }), reported, `by id: ${allocation.name}`);
      t.strictSame(await everyWay(host, wire, { name: allocation.name }), reported, 'by name');
    }
    const listed = (await host.control.call('ListAllocations', {})).allocations;
    t.strictSame(
      listed.map(({ name, state }) => [name, state]),
      [
        ['opaque', 'ALLOCATION_STATE_DRAINING'],
        ['address', 'ALLOCATION_STATE_DRAINING'],
      ],
    );
    for (const [session, { grants, fds }] of [
      [wire, made],
      [reader, held],
      [wire, address],
    ] as const) {
      for (const fd of fds) fd.close();
      await session.ask({ release: { grantId: grants[0]?.id ?? 0n } });
    }
    t.match((await host.control.budget()).heaps[0], { drainingBytes: 0n });
    const anew = await allocate(wire, { sizeBytes: SIZE, kinds: opaque, name: 'opaque' });
    t.not(anew.id, made.id, 'the name can be used again');
    await t.rejects(host.free({ id: made.id }), lost, 'the old id stays lost');
    t.match((await host.control.call('GetAllocation', { allocation: { name: 'opaque' } })).allocation, {
      id: anew.id,
    });
    await release(anew);
    await t.rejects(host.free({ name: 'opaque' }), { code: 'NOT_FOUND' }, 'this one was freed, not lost');
  });
});

t.test('a mapped dma-buf ends too', async (t) => {
  const base = ['host_import absent', 'dma_buf present'];
  await onFake(t, base, async (host) => {
    const wire = await host.session();
    const made = await allocate(wire, { sizeBytes: SIZE, kinds: mappable });
    const view = mapped(made);
    await loseDevice(host, ...base);
    await stillServes(host);
    await t.rejects(claim(wire, made.id, 'MAPPABLE'), lost);
    new Uint8Array(view.buffer).fill(1);
    t.pass("the client's mapping stays valid");
    view.unmap();
    for (const fd of made.fds) fd.close();
  });
});

t.test('the client library releases memory that ended', async (t) => {
  await onFake(t, [], async (host) => {
    const client = await connect({ runtimeDir: host.runtimeDir });
    const freed = await client.allocate({ size: SIZE, kinds: ['OPAQUE_FD'] });
    {
      await using _disposed = await client.allocate({ size: SIZE, kinds: ['OPAQUE_FD'] });
      const released = await client.allocate({ size: SIZE, kinds: ['OPAQUE_FD'] });
      await loseDevice(host);
      await stillServes(host);
      t.match((await host.control.budget()).counts, { drainingAllocations: 3, grants: 3 });
      await released.release();
      await t.rejects(freed.free(), lost);
    }
    t.match((await host.control.budget()).counts, { drainingAllocations: 0, grants: 0 }, 'no grant is left');
    await client.close();
  });
});

t.test('another user gets the same answers as before', { skip: noOtherUser ?? false }, async (t) => {
  await onFake(t, [], async (host) => {
    chmodSync(host.runtimeDir, 0o755);
    for (const socket of ['handoff.sock', 'control.sock']) chmodSync(join(host.runtimeDir, socket), 0o666);
    const wire = await host.session();
    const made = await allocate(wire, { sizeBytes: SIZE, kinds: opaque, grantKinds: [], name: 'lost' });
    const ask = () => asOtherUser('../faults/other-user.js', [host.runtimeDir, made.id, 'lost']);
    const before = await ask();
    t.strictSame(new Set(Object.values(before as object)), new Set(['NOT_PERMITTED']));
    await loseDevice(host);
    await stillServes(host);
    t.strictSame(await ask(), before);
    await t.rejects(host.free({ id: made.id }), lost);
  });
});
