/**
 * What is refused of ivshmem: sizes that end QEMU, who was granted nothing to write, vectors that there are
 * not; and peers that say nothing, say something, or are gone in the middle, which delay nobody.
 */
import { ftruncateSync } from 'node:fs';
import { connect } from '@vkmemd/client';
import { type OwnedFd, openStream } from '@vkmemd/proto';
import t from 'tap';
import { ANYBODY, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { IvshmemWire } from '../support/ivshmem-wire.js';
import { until } from '../support/supervised-daemon.js';
import { asOtherUser, noOtherUser, OTHER_UID, openToOthers } from '../support/uid.js';

const POLICY = `[limits]\nhandshake_ms = 300\n${ANYBODY}`;

t.test('what is not offered', async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: ANYBODY });
  await using client = await connect({ runtimeDir });
  const { control } = client;
  const refused = (name: string, vectors: number, code: string, reported: RegExp) =>
    t.rejects(control.ivshmem.serve({ name }, { vectors }), { code, message: reported });

  await client.allocate({ name: 'odd', size: 3n << 20n });
  await refused('odd', 1, 'SIZE_NOT_POWER_OF_TWO', /3145728/);
  await t.rejects(
    client.allocate({ name: 'none', size: 0n }),
    { code: 'INVALID_SIZE' },
    'nothing has no size',
  );
  await client.allocate({ name: 'opaque', size: 1n << 20n, kinds: ['OPAQUE_FD'] });
  await refused('opaque', 1, 'KIND_NOT_REQUESTED', /MAPPABLE/);
  await client.allocate({ name: 'one', size: 1n << 20n, sharing: 'ONE_WRITER' });
  await refused('one', 1, 'INVALID_ARGUMENT', /ONE_WRITER/);
  const published = await client.allocate({ name: 'published', size: 1n << 20n, publishable: true });
  await published.publish();
  await refused('published', 1, 'PUBLISHED', /./);
  await client.allocate({ name: 'even', size: 1n << 20n });
  for (const vectors of [0, 65]) await refused('even', vectors, 'INVALID_ARGUMENT', /1 to 64/);
  await refused('missing', 1, 'NOT_FOUND', /missing/);
  await t.rejects(
    control.ivshmem.stop({ name: 'even' }),
    { code: 'NOT_FOUND' },
    'what is not offered has no end',
  );
  await t.rejects(client.ivshmem.join({ name: 'even' }), { code: 'NOT_FOUND' }, 'and nobody joins it');
  await control.ivshmem.serve({ name: 'even' }, { vectors: 64 });
  await refused('even', 1, 'ALREADY_SERVED', /./);

  const memory = await client.claim({ name: 'even' });
  const fd = memory.fd('MAPPABLE');
  t.throws(() => ftruncateSync(fd.fd, 4096), { code: 'EPERM' }, 'nobody truncates what machines have mapped');
  t.throws(() => ftruncateSync(fd.fd, 2 << 20), { code: 'EPERM' });
  fd.close();
  for (const name of ['odd', 'opaque', 'one', 'published', 'even']) await client.free({ name });
});

t.test('who is not let in', { skip: noOtherUser ?? false }, async (t) => {
  const { runtimeDir } = await startDaemon(t, {
    policy: `${ANYBODY}\n[[rule]]\nuid = ${OTHER_UID}\nconnect = true\nclaim_from = 0\nclaim_access = "rw"\n`,
  });
  openToOthers(runtimeDir);
  await using client = await connect({ runtimeDir });
  await client.allocate({ name: 'mine', size: 1n << 20n });
  const { path } = await client.control.ivshmem.serve({ name: 'mine' }, { vectors: 1 });
  const join = (access: string) =>
    asOtherUser('../vm/programs/ivshmem-user.js', [runtimeDir, path, '0/mine', access]);
  t.strictSame(await join('none'), { words: 0, hungUp: true, joined: 'NOT_PERMITTED' }, 'without a grant');
  t.strictSame(await join('ro'), { words: 0, hungUp: true, joined: 'NOT_PERMITTED' }, 'with one to read');
  t.strictSame(await join('rw'), { words: 4, hungUp: false, joined: 'joined' }, 'with one to write');
  await until('it is gone', async () => {
    const [server] = await client.control.ivshmem.list();
    return server?.peers.length === 0 || undefined;
  });
  await client.free({ name: 'mine' });
});

t.test('peers that do not play along', async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: POLICY });
  await using client = await connect({ runtimeDir });
  await client.allocate({ name: 'shared', size: 1n << 20n });
  const { path } = await client.control.ivshmem.serve({ name: 'shared' }, { vectors: 64 });
  const count = async () => (await client.control.ivshmem.list())[0]?.peers.length;
  const none = (what: string) => until(what, async () => (await count()) === 0 || undefined);

  // Each of them makes the handshake of the next one longer than a socket holds.
  const silent: OwnedFd[] = Array.from({ length: 8 }, () => openStream(path));
  const wire = new IvshmemWire(path);
  await wire.received(3 + 9 * 64);
  t.pass('a peer that reads gets everything at once, beside eight that do not');
  await until('the silent ones are hung up on', async () => (await count()) === 1 || undefined);
  t.notOk(wire.hungUp, 'and nobody else');
  for (const socket of silent) socket.close();
  wire.close();

  const talker = new IvshmemWire(path);
  talker.say(Buffer.from('hello'));
  await talker.end();
  t.pass('who says something is hung up on');
  const giver = new IvshmemWire(path);
  try {
    giver.say(Buffer.from('hello'), true);
    await giver.end();
    t.pass('who sends an fd too');
  } catch (failure) {
    t.match(failure, { code: 'EPERM' }, 'the kernel lets nobody send an fd');
  }
  talker.close();
  giver.close();
  for (let at = 0; at < 20; at += 1) openStream(path).close();
  await none('who is gone in the handshake has left');
  const peer = await client.ivshmem.join({ name: 'shared' });
  t.strictSame(peer.peers, [], 'nobody is left');
  peer.close();

  const handoff = await HandoffWire.open(runtimeDir);
  const { fds } = await handoff.ask({ joinIvshmem: { allocation: { name: 'shared' } } });
  const foreign = new IvshmemWire(fds[0] as OwnedFd);
  t.same((await foreign.received(67)).length, 67, 'a connection that came as an fd speaks the same protocol');
  handoff.close();
  foreign.close();
  await client.free({ name: 'shared' });
});
