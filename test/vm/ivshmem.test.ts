/**
 * Real QEMUs with memory of the daemon as ivshmem devices: machines, workers and the daemon's device see the
 * same bytes, and wake each other; a peer that leaves can join again; nothing is left of 200 peers.
 */
import { readdirSync } from 'node:fs';
import { type Client, connect, type IvshmemPeer } from '@vkmemd/client';
import t from 'tap';
import { startDaemon } from '../support/daemon.js';
import { IvshmemGuest, ivshmemArguments } from '../support/ivshmem-guest.js';
import { IvshmemWire } from '../support/ivshmem-wire.js';
import { noQemu, Qemu } from '../support/qemu.js';
import { until } from '../support/supervised-daemon.js';

const SIZE = 1n << 20n;

/** Resolves with the next interrupt of a peer, of a vector in `vectors`: its vector. */
const interruptOf = (peer: IvshmemPeer, vectors = [0, 1]): Promise<number> =>
  new Promise((resolve) => {
    peer.on('interrupt', (vector) => vectors.includes(vector) && resolve(vector));
  });

const peersOf = async (client: Client): Promise<number[]> =>
  (await client.control.ivshmem.list()).flatMap(({ peers }) => peers.map(({ id }) => id));

t.test(
  'two machines, two workers and the device share one allocation',
  { skip: noQemu ?? false },
  async (t) => {
    const { runtimeDir } = await startDaemon(t);
    const first = await connect({ runtimeDir });
    const second = await connect({ runtimeDir });
    t.teardown(() => Promise.all([first.close(), second.close()]));
    const memory = await first.allocate({ name: 'frames', size: SIZE });
    const copy = await first.allocate({ size: SIZE });
    const { path } = await first.control.ivshmem.serve({ name: 'frames' }, { vectors: 2 });
    const one = await Qemu.start(t, ivshmemArguments(path, 2));
    const other = await Qemu.start(t, ivshmemArguments(path, 2));
    const [guest, neighbour] = [await IvshmemGuest.of(one), await IvshmemGuest.of(other)];
    const worker = await first.ivshmem.join({ name: 'frames' });
    const colleague = await second.ivshmem.join({ name: 'frames' });
    const view = memory.map();
    const held = await second.claim({ name: 'frames' });
    const theirs = held.map();

    t.strictSame([await guest.position(), await neighbour.position()], [0, 1], 'machines have their ids');
    await until('the last one is known', () => worker.peers.length === 3 || undefined);
    t.strictSame([worker.id, worker.peers, worker.vectors], [2, [0, 1, 3], 2], 'workers have the next ids');
    t.same(guest.memory.size, SIZE, 'the BAR has the size of the memory');
    t.ok(guest.memory.is64Bit && guest.memory.prefetchable, 'and is at an address that QEMU chose');

    view.bytes.fill(0x5a, 4096, 8192);
    t.ok(
      (await guest.read(4096n, 4096)).every((byte) => byte === 0x5a),
      "a guest reads a worker's bytes",
    );
    await guest.write(65_536n, Buffer.alloc(4096, 0xa5));
    t.ok(
      theirs.bytes.subarray(65_536, 69_632).every((byte) => byte === 0xa5),
      "a worker reads a guest's bytes",
    );
    t.ok(
      (await neighbour.read(65_536n, 4096)).every((byte) => byte === 0xa5),
      'the other guest reads them',
    );
    await first.transfer({ copy: { from: memory, to: copy } });
    const copied = copy.map();
    t.ok(
      copied.bytes.subarray(65_536, 69_632).every((byte) => byte === 0xa5),
      "the daemon's device reads them",
    );
    await first.transfer({ fill: { to: memory, offset: 131_072n, size: 4096n, pattern: 0x01020304 } });
    t.same((await guest.read(131_072n, 4)).readUInt32LE(), 0x01020304, "a guest reads the device's bytes");

    const rung = interruptOf(worker);
    t.same(await guest.ring(worker.id, 1, rung), 1, 'a guest rings a worker');
    worker.ring(0, 1);
    await guest.interrupt(1);
    t.notOk(await guest.arrived(0), 'a worker rings one vector of a guest, no other');
    await guest.ring(1, 0, neighbour.interrupt(0));
    const back = interruptOf(worker, [0]); // a guest may have rung vector 1 again
    colleague.ring(worker.id, 0);
    t.same(await back, 0, 'machines ring each other, and so do workers');

    t.throws(() => worker.ring(9), { code: 'NOT_FOUND' });
    t.throws(() => worker.ring(0, 2), { code: 'INVALID_ARGUMENT' });
    const { counts } = await first.budget();
    t.same(counts.sessions, 6, 'each connection is a session');
    t.same((await first.get({ name: 'frames' })).grants, 6, 'with a grant');

    const left = new Promise((resolve) => worker.once('leave', resolve));
    await other.kill();
    t.same(await left, 1, 'a killed machine leaves');
    const joined = new Promise((resolve) => worker.once('join', resolve));
    const retried = await Qemu.start(t, ivshmemArguments(path, 2));
    const returned = await IvshmemGuest.of(retried);
    t.same(await joined, 4, 'its id is not reused while a peer that saw it leave is present');
    t.same(await returned.position(), 4);
    worker.ring(4, 0);
    await returned.interrupt(0);
    t.ok(
      (await returned.read(65_536n, 16)).every((byte) => byte === 0xa5),
      'the memory is unchanged',
    );

    const ended = new Promise<{ code: string }>((resolve) => colleague.once('disconnected', resolve));
    await first.control.ivshmem.stop({ name: 'frames' });
    t.same((await ended).code, 'UNAVAILABLE', 'the end of the server disconnects every peer');
    t.ok(
      (await guest.read(4096n, 16)).every((byte) => byte === 0x5a),
      "a guest's memory stays",
    );
    t.throws(() => new IvshmemWire(path), { code: 'UNAVAILABLE' }, 'the socket is removed');

    for (const map of [view, theirs, copied]) map.unmap();
    await held.release();
    const freed = await memory.free();
    t.same(freed.allocation?.state, 'ALLOCATION_STATE_DRAINING', 'its bytes drain while machines hold it');
    await one.quit();
    await retried.quit();
    await until('its bytes are free', async () => {
      const { drainingAllocations } = (await second.budget()).counts;
      return drainingAllocations === 0 || undefined;
    });
  },
);

t.test('200 peers that join and leave leave nothing behind', { skip: noQemu ?? false }, async (t) => {
  const { runtimeDir, pid } = await startDaemon(t);
  const client = await connect({ runtimeDir });
  t.teardown(() => client.close());
  await client.allocate({ name: 'busy', size: SIZE });
  const { path } = await client.control.ivshmem.serve({ name: 'busy' }, { vectors: 4 });
  const stays = await client.ivshmem.join({ name: 'busy' });
  const open = () => readdirSync(`/proc/${pid}/fd`).length;
  const own = () => readdirSync('/proc/self/fd').length;
  const gone = (ids: number[]) => ids.length === 1 || undefined;
  const before = [open(), own()];
  for (let cycle = 0; cycle < 200; cycle += 1) {
    const wire = new IvshmemWire(path);
    if (cycle % 2 === 0) await wire.received(11);
    wire.close();
  }
  await until('all have left', async () => gone(await peersOf(client)));
  await until('none of their fds is open, in the daemon or here', () => {
    return (open() <= (before[0] ?? 0) && own() <= (before[1] ?? 0)) || undefined;
  });
  t.same((await client.budget()).counts.grants, 2, 'no grant');
  const next = await client.ivshmem.join({ name: 'busy' });
  t.same(next.id, 201, 'ids increase while a peer is present that saw the others leave');
  next.close();
  stays.close();
  await until('no peer is left', async () => (await peersOf(client)).length === 0 || undefined);
  const fresh = await client.ivshmem.join({ name: 'busy' });
  t.same(fresh.id, 0, 'with no peer left, ids start at 0');
  fresh.close();
  const machine = await Qemu.start(t, ivshmemArguments(path, 4));
  const at = await (await IvshmemGuest.of(machine)).position();
  const fds = () => readdirSync(`/proc/${machine.pid}/fd`).length;
  const empty = fds();
  for (let cycle = 0; cycle < 20; cycle += 1) {
    const peer = await client.ivshmem.join({ name: 'busy' });
    t.ok(peer.peers.includes(at), 'the machine has joined');
    peer.close();
  }
  await until('QEMU has closed their doorbells', () => fds() === empty || undefined);
  await machine.quit();
  await client.free({ name: 'busy' });
});
