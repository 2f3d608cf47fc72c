/** An fd whose close() blocks, sent by a front that was taken over: the core does not wait for it. */
import { join } from 'node:path';
import { encode, HANDOFF_SOCKET, Listener, type OwnedFd, pendingCloses } from '@vkmemd/proto';
import t from 'tap';
import { Link } from 'vkmemd/dist/link/link.js';
import { temporaryFolder } from '../support/daemon.js';
import { HostileClient } from '../support/hostile-fds.js';
import { sleep, until } from './support.js';

/** Far below the ten minutes for which the sent socket lingers. */
const MAX_MS = 1000;

t.test('the link ends, and its fds are closed elsewhere', async (t) => {
  const folder = temporaryFolder(t);
  let accepted: OwnedFd | undefined;
  using _listener = Listener.listen(
    { type: 'seqpacket', path: join(folder, HANDOFF_SOCKET) },
    {
      connection: (fd, { pidfd }) => {
        pidfd?.close();
        accepted = fd;
      },
      error: t.error,
    },
  );
  const datagrams = [Buffer.from(encode('ToCore', { pong: {} }))];
  const front = await HostileClient.start(t, folder, { file: 'lingering', datagrams, leave: true });
  if (typeof front === 'string') throw new Error(front);
  t.equal(await front.sendNow(), 'sent');
  await until('the connection', () => accepted !== undefined);
  // By now the sender has closed its own.
  await sleep(100);
  const ended: (string | undefined)[] = [];
  let longest = 0;
  let last = performance.now();
  const clock = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 5);
  const link = new Link(accepted as OwnedFd, 'ToFront', 'ToCore', {
    message: () => t.fail('a message with an fd'),
    ended: (fault) => void ended.push(fault),
  });
  await until('it ends', () => ended.length > 0);
  await sleep(100);
  clearInterval(clock);
  t.match(ended, [/fds/]);
  t.ok(longest < MAX_MS, `the event loop was blocked for ${longest.toFixed(0)} ms`);
  link[Symbol.dispose]();
  await front.end();
  await until('they are closed', () => pendingCloses() === 0);
});
