/**
 * RDMA between two guests, each with a kernel and a soft-RoCE device of its own: a client of this guest's daemon
 * registers its memory, and the other guest (rdma-peer.test.ts) reads and writes it one-sided. A process with a
 * mapping, a worker in a sandbox and the daemon's device see every byte.
 */
import t from 'tap';
import { startDaemon } from '../support/daemon.js';
import { connectTo } from './guest.js';
import { must } from './installed.js';
import { firstOther, firstOtherOfDevice, OF_DEVICE, OF_PEER } from './pattern.js';
import { Served } from './rdma.js';
import { type Done, meetPeer, OURS, overCable } from './rdma-orders.js';
import { sandboxSees } from './rdma-sandbox.js';

const SIZE = 64 << 20;
const NAME = 'window';

const rate = ({ seconds }: Done): string => (SIZE / seconds / (1 << 20)).toFixed(1);

t.test('between two guests', async (t) => {
  overCable(t, OURS);
  const ask = await meetPeer(t);
  const { runtimeDir } = await startDaemon(t);
  await using client = await connectTo(runtimeDir);
  const memory = await client.allocate({ size: SIZE, name: NAME });
  using map = memory.map();
  await client.transfer({ fill: { to: memory, pattern: OF_DEVICE.first } });
  const fd = memory.fd('MAPPABLE');
  const served = new Served(t, fd, SIZE);
  await served.registered();
  fd.close();

  const read = await ask({ verb: 'read', bytes: SIZE, pattern: OF_DEVICE });
  t.match(read, { status: 0, stderr: '' }, "the peer reads the device's bytes");
  t.comment(`figure: 64 MiB read by another guest over soft-RoCE, ${rate(read)} MiB/s`);
  const written = await ask({ verb: 'write', bytes: SIZE, pattern: OF_PEER });
  t.match(written, { status: 0, stderr: '' }, 'it writes its own');
  t.comment(`figure: 64 MiB written by another guest over soft-RoCE, ${rate(written)} MiB/s`);

  t.equal(firstOther(map.bytes, OF_PEER), undefined, "they are in this process's mapping");
  t.equal(await firstOtherOfDevice(client, memory, OF_PEER), undefined, 'the device copies them');
  await sandboxSees(t, runtimeDir, NAME, SIZE, OF_PEER);

  t.match(await served.close(), { status: 0, stderr: '', stdout: /peer finished\npeer finished\n$/ });
  t.equal(must('rdma', 'resource', 'show', 'mr'), '', 'nothing is registered any more');
  await memory.free();
});
