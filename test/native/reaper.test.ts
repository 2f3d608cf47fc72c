/**
 * Sockets whose unread fds linger, more than threads close at once: they are closed within seconds, with closers
 * and, as where no process can be started, without. test/daemon/hostile-fds shows that no other user waits.
 */
import { join } from 'node:path';
import {
  Connection,
  closeInProcesses,
  encode,
  HANDOFF_SOCKET,
  Listener,
  openSeqpacket,
  pendingCloses,
  setMaxPendingCloses,
} from '@vkmemd/proto';
import t from 'tap';
import { FdBudget } from 'vkmemd/dist/limits/fd-budget.js';
import { temporaryFolder } from '../support/daemon.js';
import { HostileClient } from '../support/hostile-fds.js';
import { openFds, sameFds, until } from './open-fds.js';

const COUNT = 40;
/** How many wait to be closed while no connection is accepted. */
const [MAX_PENDING, DEFAULT_MAX_PENDING] = [20, 64];
const fds = new FdBudget({ max: 4096, open: 20 }, 32);
/** Far below the ten minutes for which each lingers. */
const MAX_MS = 20_000;

for (const how of ['without closers', 'with closers']) {
  t.test(`sockets that linger are closed ${how}`, async (t) => {
    t.setTimeout(90_000);
    if (how === 'with closers') closeInProcesses();
    const folder = temporaryFolder(t);
    const before = openFds();
    let accepted = 0;
    let closed = 0;
    const close = () => {
      closed += 1;
    };
    const path = join(folder, HANDOFF_SOCKET);
    const listener = Listener.listen(
      { type: 'seqpacket', path, untrusted: true },
      {
        connection: (fd, { pidfd }) => {
          pidfd?.close();
          accepted += 1;
          new Connection(fd, { message: () => {}, close }, { untrusted: true }).close();
        },
        // It has not accepted for a while.
        error: (failure) => void (how === 'without closers' ? t.match(failure, /EBUSY/) : t.error(failure)),
      },
    );
    listener.pause();
    const { capacity } = fds;
    if (how === 'without closers') setMaxPendingCloses(MAX_PENDING);
    const datagrams = [Buffer.from(encode('ClientMessage', { sequence: 1n, fdCount: 1, import: {} }))];
    const lingering = { file: 'lingering', datagrams, leave: true, count: COUNT } as const;
    const client = await HostileClient.start(t, folder, lingering);
    if (typeof client === 'string') throw new Error(client);
    t.equal(await client.sendNow(), 'sent');
    listener.resume();
    if (how === 'without closers') {
      await until(() => pendingCloses() >= MAX_PENDING, MAX_MS);
      t.ok(accepted < COUNT, `${accepted} are accepted while ${MAX_PENDING} wait to be closed`);
      t.ok(fds.capacity <= capacity - MAX_PENDING, 'they reduce what can be leased');
    }
    await until(() => accepted === COUNT && closed === COUNT, MAX_MS);
    setMaxPendingCloses(DEFAULT_MAX_PENDING);
    await until(() => pendingCloses() === 0, MAX_MS);
    t.pass('all are closed');
    // Of a user that has none left.
    const peer = new Connection(openSeqpacket(path), { message: () => {}, close: () => {} });
    await until(() => accepted === COUNT + 1, MAX_MS);
    peer.close();
    listener.close();
    await client.end();
    await sameFds(t, before);
  });
}

t.test('a connection that is not admitted is closed at once, or by the reaper if it has fds', async (t) => {
  t.setTimeout(90_000);
  const folder = temporaryFolder(t);
  const before = openFds();
  const path = join(folder, HANDOFF_SOCKET);
  let dropped = 0;
  const admit = () => {
    dropped += 1;
    return false;
  };
  const on = { connection: () => t.fail('it was not admitted'), error: t.error };
  const listener = Listener.listen({ type: 'seqpacket', path, untrusted: true, arrivals: { admit } }, on);
  let hungUp = 0;
  const close = () => {
    hungUp += 1;
  };
  const silent = new Connection(openSeqpacket(path), { message: () => {}, close });
  const talking = new Connection(openSeqpacket(path), { message: () => {}, close });
  talking.send(Buffer.from('unread'), []);
  await until(() => hungUp === 2);
  t.equal(pendingCloses(), 0, 'the reaper has nothing to do');
  listener.pause();
  const datagrams = [Buffer.alloc(0), Buffer.from('x')];
  const client = await HostileClient.start(t, folder, { file: 'lingering', datagrams, leave: true });
  if (typeof client === 'string') throw new Error(client);
  t.equal(await client.sendNow(), 'sent');
  listener.resume();
  await until(() => dropped === 3);
  t.equal(pendingCloses(), 1, 'it lingers, in another thread');
  await client.end();
  await until(() => pendingCloses() === 0, MAX_MS);
  for (const each of [silent, talking, listener]) each.close();
  await sameFds(t, before);
});
