/**
 * Sockets whose unread fds linger, more than threads close at once: they are closed within seconds, with closers
 * and, as where no process can be started, without. test/daemon/hostile-fds shows that no other user waits.
 */
import { writeFileSync } from 'node:fs';
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
import { childrenOf, procFile } from '../front/support.js';
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

t.test('closers that do not end are few', async (t) => {
  t.setTimeout(120_000);
  const folder = temporaryFolder(t);
  const before = openFds();
  // Stands for one that exits with a file whose server never answers.
  const closer = join(folder, 'closer');
  writeFileSync(closer, '#!/bin/sh\nprintf x >&0\nexec /bin/sleep 300\n', { mode: 0o755 });
  closeInProcesses(closer);
  const closers = (): number[] =>
    childrenOf(process.pid).filter((child) =>
      /^\/bin\/(sh\0.*closer|sleep)\0/.test(procFile(child, 'cmdline')),
    );
  t.teardown(() => {
    for (const pid of closers()) process.kill(pid, 'SIGKILL');
  });
  const path = join(folder, HANDOFF_SOCKET);
  let closed = 0;
  const close = () => {
    closed += 1;
  };
  const listener = Listener.listen(
    { type: 'seqpacket', path, untrusted: true },
    {
      connection: (fd, { pidfd }) => {
        pidfd?.close();
        new Connection(fd, { message: () => {}, close }, { untrusted: true }).close();
      },
      // It has not accepted for a while.
      error: (failure) => void t.match(failure, /EBUSY/),
    },
  );
  const datagrams = [Buffer.from(encode('ClientMessage', { sequence: 1n, fdCount: 1, import: {} }))];
  const clients: HostileClient[] = [];
  let sent = 0;
  const send = async (count: number) => {
    const client = await HostileClient.start(t, folder, { file: 'lingering', datagrams, leave: true, count });
    if (typeof client === 'string') throw new Error(client);
    clients.push(client);
    listener.pause();
    if ((await client.sendNow()) !== 'sent') throw new Error('the kernel refused it');
    listener.resume();
    sent += count;
    await until(() => closed === sent, MAX_MS);
  };
  const noneWaits = () => until(() => pendingCloses() === 0, MAX_MS);
  // A quarter of these run, and half of them is much.
  setMaxPendingCloses(32);
  const [RUNNING, FEW, HALF] = [8, 3, 16];
  for (let count = 1; count <= 4; count += 1) {
    await send(RUNNING + FEW);
    await until(() => closers().length === count, MAX_MS);
    await noneWaits();
  }
  await send(RUNNING + FEW);
  await noneWaits();
  t.equal(closers().length, 4, 'a user has no fifth: threads close the sockets, one after the other');
  await send(RUNNING + HALF);
  await until(() => closers().length === 5, MAX_MS);
  await noneWaits();
  t.pass('unless half of what may wait is the sockets of the user');

  // With a sanitizer each of the many starts is slow.
  if (process.env.ASAN_OPTIONS === undefined) {
    setMaxPendingCloses(4);
    while (closers().length < 64) {
      const { length } = closers();
      await send(3);
      await until(() => closers().length > length, MAX_MS);
    }
    await noneWaits();
    for (const _ of [1, 2]) await send(3);
    await noneWaits();
    t.equal(closers().length, 64, 'there are 64 in all');
  }
  for (const pid of closers()) process.kill(pid, 'SIGKILL');
  await until(() => closers().length === 0, MAX_MS);
  closeInProcesses();
  setMaxPendingCloses(DEFAULT_MAX_PENDING);
  listener.close();
  for (const client of clients) await client.end();
  await sameFds(t, before);
});

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
