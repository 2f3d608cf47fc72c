/**
 * Workers as ivshmem peers: rings that nobody listens to yet, peers that mean harm by an eventfd, clients
 * that close meanwhile, and servers that are full.
 */
import { connect as connectTo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '@vkmemd/client';
import { EventFd, type OwnedFd } from '@vkmemd/proto';
import t from 'tap';
import { setBlocking } from '../support/blocking.js';
import { startDaemon } from '../support/daemon.js';
import { IvshmemWire } from '../support/ivshmem-wire.js';
import { until } from '../support/supervised-daemon.js';

const MAX_PEERS = 256;
const MORE = 20;

/**
 * What came with a word: after version, id and memory two of the worker's own doorbells, then two of the
 * wire's.
 */
function doorbellOf({ words }: IvshmemWire, at: number): OwnedFd {
  const fd = words[at]?.fd;
  if (fd) return fd;
  throw new Error(`word ${at} has no fd`);
}

t.test('a worker among peers', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connect({ runtimeDir });
  await client.allocate({ name: 'frames', size: 4096n });
  const { path } = await client.control.ivshmem.serve({ name: 'frames' }, { vectors: 2 });
  const peer = await client.ivshmem.join({ name: 'frames' });
  const wire = new IvshmemWire(path);
  await until('all words', () => wire.words.length === 7 || undefined);
  const rung = new EventFd(doorbellOf(wire, 4).dup());
  rung.signal();
  rung.signal();
  await sleep(20);
  const reported = new Promise((resolve) => peer.once('interrupt', (...what) => resolve(what)));
  t.strictSame(
    await reported,
    [1, 2n],
    'rings from before anybody listened are there, counted, of their vector',
  );
  rung.close();

  const full = new EventFd(doorbellOf(wire, 6).dup());
  full.signal(0xffff_ffff_ffff_fffen);
  setBlocking(full.fd.fd);
  await until('the other is there', () => peer.peers.includes(1) || undefined);
  peer.ring(1, 1);
  t.pass('who fills its own doorbell, and lets it block, holds nobody up');
  full.close();
  wire.close();

  const late = await connect({ runtimeDir });
  const joining = [late.ivshmem.join({ name: 'frames' }), late.ivshmem.join({ name: 'frames' })];
  const refused = Promise.all(joining.map((each) => t.rejects(each, { code: 'UNAVAILABLE' })));
  await late.close();
  await refused;
  await until('those of a closed client have left', async () => {
    const [server] = await client.control.ivshmem.list();
    return server?.peers.length === 1 || undefined;
  });
  peer.close();
  await client.free({ name: 'frames' });
  await client.close();
});

t.test('a full server refuses one more, and nobody else', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connect({ runtimeDir });
  await client.allocate({ name: 'frames', size: 4096n });
  const { path } = await client.control.ivshmem.serve({ name: 'frames' });
  const count = async () => (await client.control.ivshmem.list())[0]?.peers.length;
  // All at once: those who are joining count.
  const sockets = Array.from({ length: MAX_PEERS + MORE }, () => connectTo(path).resume());
  let refused = 0;
  for (const socket of sockets) socket.once('close', () => (refused += 1));
  await until('all have been dealt with', async () => {
    return ((await count()) === MAX_PEERS && refused === MORE) || undefined;
  });
  await t.rejects(client.ivshmem.join({ name: 'frames' }), { code: 'TOO_MANY_PEERS' });
  t.equal(await count(), MAX_PEERS);
  await client.free({ name: 'frames' });
  await until('all are hung up on at the end', () => refused === sockets.length || undefined);
  await client.close();
});
