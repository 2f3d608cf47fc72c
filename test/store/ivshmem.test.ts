/**
 * A daemon that is killed while machines are attached: mappings stay, connections stay open, doorbells still
 * ring; the next daemon continues all of it, and announces joins and leaves, including those that it missed.
 */
import { connect } from '@vkmemd/client';
import t from 'tap';
import { IvshmemGuest, ivshmemArguments } from '../support/ivshmem-guest.js';
import { IvshmemWire, SilentVmm } from '../support/ivshmem-wire.js';
import { noQemu, Qemu } from '../support/qemu.js';
import { SupervisedDaemon, until } from '../support/supervised-daemon.js';
import { between, nothingLeft } from './support.js';

const SIZE = 1n << 20n;

t.test('virtual machines continue through a restart', { skip: noQemu ?? false }, async (t) => {
  const daemon = await SupervisedDaemon.start(t, { policy: '[limits]\nhandshake_ms = 1000\n' });
  const { runtimeDir } = daemon;
  const client = await connect({ runtimeDir });
  const memory = await client.allocate({ name: 'frames', size: SIZE });
  const { path } = await client.control.ivshmem.serve({ name: 'frames' }, { vectors: 2 });
  const machine = await Qemu.start(t, ivshmemArguments(path, 2));
  const doomed = await Qemu.start(t, ivshmemArguments(path, 2));
  const guest = await IvshmemGuest.of(machine);
  const worker = await client.ivshmem.join({ name: 'frames' });
  const wire = new IvshmemWire(path);
  t.strictSame(
    await wire.received(11),
    ['0', '3', '-1+', '0+', '0+', '1+', '1+', '2+', '2+', '3+', '3+'],
    'every peer in the order of ids, the new one last',
  );
  await guest.write(0n, Buffer.from('before'));
  const left: number[] = [];
  worker.on('leave', (id) => left.push(id));

  await between(daemon, async () => {
    const view = memory.map();
    t.same(Buffer.from(view.bytes.subarray(0, 6)).toString(), 'before', 'memory stays mapped');
    await guest.write(0n, Buffer.from('during'));
    t.same(Buffer.from(view.bytes.subarray(0, 6)).toString(), 'during', 'on both sides');
    view.unmap();
    worker.ring(0, 1);
    await guest.interrupt(1);
    t.pass('doorbells ring without a daemon');
    await doomed.kill();
  });
  await until('the peer that left meanwhile is noticed', () => left.includes(1) || undefined);
  t.strictSame(await wire.received(1), ['1'], 'it is announced once to every peer');
  t.notOk(wire.hungUp, 'no connection was closed');
  t.strictSame(
    (await client.control.ivshmem.list()).map((server) => [server.path, server.peers.map(({ id }) => id)]),
    [[path, [0, 2, 3]]],
    'the socket has its path, and every peer is still present',
  );

  const late = await Qemu.start(t, ivshmemArguments(path, 2));
  const newcomer = await IvshmemGuest.of(late);
  t.same(await newcomer.position(), 4, 'earlier ids are not reused');
  t.strictSame(await wire.received(2), ['4+', '4+'], 'earlier peers are notified of the new one');
  await newcomer.ring(0, 0, guest.interrupt(0));
  t.same((await newcomer.read(0n, 6)).toString(), 'during', 'it has the same memory');
  await late.quit();
  t.strictSame(await wire.received(1), ['4']);

  const silent = new SilentVmm(path);
  await until('it is a peer', async () => {
    const [server] = await client.control.ivshmem.list();
    return server?.peers.length === 4 || undefined;
  });
  await between(daemon, async () => {});
  await until('the peer that read nothing is disconnected', async () => {
    const [server] = await client.control.ivshmem.list();
    return server?.peers.length === 3 || undefined;
  });
  silent.close();
  t.notOk(wire.hungUp, 'a second restart does not affect the others');
  t.strictSame((await wire.received(1)).at(-1), '5', 'and they are notified of its end');

  wire.close();
  worker.close();
  await machine.quit();
  await until('no peer is left', async () => {
    const [server] = await client.control.ivshmem.list();
    return server?.peers.length === 0 || undefined;
  });
  await memory.free();
  t.strictSame(await client.control.ivshmem.list(), [], 'the server ends with its memory');
  await client.close();
  await nothingLeft(t, daemon);
});
