/**
 * A worker thread that is client and server at once: every round trip transfers one grant, which is mapped,
 * written and released. `workerData` names the socket and the number of rounds; it posts `running` once it
 * has started.
 */

import { parentPort, workerData } from 'node:worker_threads';
import {
  Connection,
  connectSeqpacket,
  createMemfd,
  EventFd,
  Listener,
  mapFd,
  reopenMemfd,
} from '@vkmemd/proto';

async function work(path: string, rounds: number): Promise<void> {
  const memory = await createMemfd('vkmem-worker', 65536n);
  const event = EventFd.create();
  event.listen(() => {});
  const listener = Listener.listen(
    { type: 'seqpacket', path },
    {
      connection(fd, peer) {
        peer.pidfd?.close();
        const server = new Connection(fd, {
          message: (data) => server.send(data, [reopenMemfd(memory, 'rw', 'grant')]),
          close() {},
        });
      },
      error(error) {
        throw error;
      },
    },
  );
  await new Promise<void>((resolve) => {
    let round = 0;
    const client = connectSeqpacket(
      path,
      {
        message(_data, fds) {
          for (const fd of fds) {
            const mapping = mapFd(fd, { offset: 0n, length: 65536, access: 'rw' });
            new Uint32Array(mapping.buffer)[0] = round;
            mapping.unmap();
            fd.close();
          }
          event.signal();
          if (++round === 100) parentPort?.postMessage('running');
          if (round < rounds) client.send(Buffer.from('more'));
          else client.close();
        },
        close: () => resolve(),
      },
      { maxFds: 1 },
    );
    client.send(Buffer.from('first'));
  });
  listener.close();
  event.close();
  memory.close();
}

const { path, rounds } = workerData as { path: string; rounds: number };
await work(path, rounds);
