/**
 * Workers as ivshmem peers: rings before a listener is added, peers that misuse an eventfd, clients that
 * close meanwhile, and full servers.
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
 * The doorbell fd of a word: after version, id and memory, the words are two doorbells of the worker, then
 * two of the wire.
 */
function doorbellOf({ words }: IvshmemWire, at: number): OwnedFd {
  const fd = words[at]?.fd;
  if (fd) return fd;
  throw new Error(`word ${at} has no fd`);
}

t.test(
  'a worker exchanges interrupts with other peers, and a misbehaving peer does not block it',
  async (t) => {
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
    t.strictSame(await reported, [1, 2n], 'rings before a listener was added are counted by vector');
    rung.close();

    const full = new EventFd(doorbellOf(wire, 6).dup());
    full.signal(0xffff_ffff_ffff_fffen);
    setBlocking(full.fd.fd);
    await until('the other peer is present', () => peer.peers.includes(1) || undefined);
    peer.ring(1, 1);
    t.pass('a peer with a full, blocking doorbell blocks no other');
    full.close();
    wire.close();

    const late = await connect({ runtimeDir });
    const joining = [late.ivshmem.join({ name: 'frames' }), late.ivshmem.join({ name: 'frames' })];
    const refused = Promise.all(joining.map((each) => t.rejects(each, { code: 'UNAVAILABLE' })));
    await late.close();
    await refused;
    await until('the peers of a closed client have left', async () => {
      const [server] = await client.control.ivshmem.list();
      return server?.peers.length === 1 || undefined;
    });
    peer.close();
    await client.free({ name: 'frames' });
    await client.close();
  },
);

t.test('a full server refuses a new peer and keeps the others', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connect({ runtimeDir });
  await client.allocate({ name: 'frames', size: 4096n });
  const { path } = await client.control.ivshmem.serve({ name: 'frames' });
  const count = async () => (await client.control.ivshmem.list())[0]?.peers.length;
  // All at once: peers that are joining are counted too.
  const sockets = Array.from({ length: MAX_PEERS + MORE }, () => connectTo(path).resume());
  let refused = 0;
  for (const socket of sockets) socket.once('close', () => (refused += 1));
  await until('every connection has been admitted or refused', async () => {
    return ((await count()) === MAX_PEERS && refused === MORE) || undefined;
  });
  await t.rejects(client.ivshmem.join({ name: 'frames' }), { code: 'TOO_MANY_PEERS' });
  t.equal(await count(), MAX_PEERS);
  await client.free({ name: 'frames' });
  await until('all connections are closed at the end', () => refused === sockets.length || undefined);
  await client.close();
});
