/**
 * Refusals of ivshmem: sizes with which QEMU aborts, clients without a writable grant, invalid numbers of
 * vectors; and peers that send nothing, send data, or close midway, which delay no other peer.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { ftruncateSync, statSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { connect } from '@vkmemd/client';
import { type OwnedFd, openStream } from '@vkmemd/proto';
import t from 'tap';
import { ANYBODY, plainEnvironment, plainNode, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { IvshmemWire } from '../support/ivshmem-wire.js';
import { until } from '../support/supervised-daemon.js';
import { asOtherUser, noOtherUser, OTHER_UID, openToOthers } from '../support/uid.js';

const POLICY = `[limits]\nhandshake_ms = 300\n${ANYBODY}`;

t.test('memory that cannot be served is refused', async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: ANYBODY });
  await using client = await connect({ runtimeDir });
  const { control } = client;
  const refused = (name: string, vectors: number, code: string, reported: RegExp) =>
    t.rejects(control.ivshmem.serve({ name }, { vectors }), { code, message: reported });

  await client.allocate({ name: 'odd', size: 3n << 20n });
  await refused('odd', 1, 'SIZE_NOT_POWER_OF_TWO', /3145728/);
  await t.rejects(client.allocate({ name: 'none', size: 0n }), { code: 'INVALID_SIZE' }, 'size 0 is invalid');
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
    'without a server there is nothing to stop',
  );
  await t.rejects(client.ivshmem.join({ name: 'even' }), { code: 'NOT_FOUND' }, 'and nothing to join');
  await control.ivshmem.serve({ name: 'even' }, { vectors: 64 });
  await refused('even', 1, 'ALREADY_SERVED', /./);

  const memory = await client.claim({ name: 'even' });
  const fd = memory.fd('MAPPABLE');
  t.throws(() => ftruncateSync(fd.fd, 4096), { code: 'EPERM' }, 'memory of machines cannot be truncated');
  t.throws(() => ftruncateSync(fd.fd, 2 << 20), { code: 'EPERM' });
  fd.close();
  for (const name of ['odd', 'opaque', 'one', 'published', 'even']) await client.free({ name });
});

t.test('a peer needs a writable grant', { skip: noOtherUser ?? false }, async (t) => {
  const { runtimeDir } = await startDaemon(t, {
    policy: `${ANYBODY}\n[[rule]]\nuid = ${OTHER_UID}\nconnect = true\nclaim_from = 0\nclaim_access = "rw"\n`,
  });
  openToOthers(runtimeDir);
  await using client = await connect({ runtimeDir });
  await client.allocate({ name: 'mine', size: 1n << 20n });
  const { path } = await client.control.ivshmem.serve({ name: 'mine' }, { vectors: 1 });
  t.equal(statSync(path).mode & 0o777, 0o666, 'every user may connect');
  const join = (access: string) =>
    asOtherUser('../vm/programs/ivshmem-user.js', [runtimeDir, path, '0/mine', access]);
  t.strictSame(await join('none'), { words: 0, hungUp: true, joined: 'NOT_PERMITTED' }, 'without a grant');
  t.strictSame(
    await join('ro'),
    { words: 0, hungUp: true, joined: 'NOT_PERMITTED' },
    'with a read-only grant',
  );
  t.strictSame(await join('rw'), { words: 4, hungUp: false, joined: 'joined' }, 'with a writable grant');
  await until('the peer has left', async () => {
    const [server] = await client.control.ivshmem.list();
    return server?.peers.length === 0 || undefined;
  });
  await client.free({ name: 'mine' });
});

t.test('a reload that excludes a user', { skip: noOtherUser ?? false }, async (t) => {
  const rule = (connect: boolean) =>
    `${ANYBODY}\n[[rule]]\nuid = ${OTHER_UID}\nconnect = ${connect}\nclaim_from = 0\nclaim_access = "rw"\n`;
  const { runtimeDir, config } = await startDaemon(t, { policy: rule(true) });
  openToOthers(runtimeDir);
  await using client = await connect({ runtimeDir });
  await client.allocate({ name: 'mine', size: 1n << 20n });
  const { path } = await client.control.ivshmem.serve({ name: 'mine' }, { vectors: 1 });
  const program = fileURLToPath(new URL('programs/ivshmem-user.js', import.meta.url));
  const child = spawn(...plainNode([program, runtimeDir, path, '0/mine', 'rw', 'waits']), {
    uid: OTHER_UID,
    gid: OTHER_UID,
    env: plainEnvironment(),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  t.equal((await lines.next()).value, 'granted');
  writeFileSync(config, rule(false));
  await client.control.policy.reload();
  child.stdin.write('join\n');
  const joined = JSON.parse((await lines.next()).value ?? '');
  t.strictSame(joined, { words: 0, hungUp: true, joined: 'NOT_PERMITTED' }, 'it joins no more');
  await once(child, 'close');
  t.equal(await asOtherUser('attempt.js', [runtimeDir, 'handoff']), 'NOT_PERMITTED', 'nor connects again');
  await client.free({ name: 'mine' });
});

t.test('misbehaving peers do not delay others', async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: POLICY });
  await using client = await connect({ runtimeDir });
  await client.allocate({ name: 'shared', size: 1n << 20n });
  const { path } = await client.control.ivshmem.serve({ name: 'shared' }, { vectors: 64 });
  const count = async () => (await client.control.ivshmem.list())[0]?.peers.length;
  const none = (what: string) => until(what, async () => (await count()) === 0 || undefined);

  // Each of them makes the handshake of the next one longer than the socket buffer.
  const silent: OwnedFd[] = Array.from({ length: 8 }, () => openStream(path));
  const wire = new IvshmemWire(path);
  await wire.received(3 + 9 * 64);
  t.pass('a peer that reads gets the whole handshake at once, beside eight that do not read');
  await until('the silent peers are disconnected', async () => (await count()) === 1 || undefined);
  t.notOk(wire.hungUp, 'and no others');
  for (const socket of silent) socket.close();
  wire.close();

  const talker = new IvshmemWire(path);
  talker.say(Buffer.from('hello'));
  await talker.end();
  t.pass('a peer that sends data is disconnected');
  const giver = new IvshmemWire(path);
  try {
    giver.say(Buffer.from('hello'), true);
    await giver.end();
    t.pass('a peer that sends an fd too');
  } catch (failure) {
    t.match(failure, { code: 'EPERM' }, 'the kernel refuses to send an fd');
  }
  talker.close();
  giver.close();
  for (let at = 0; at < 20; at += 1) openStream(path).close();
  await none('a peer that closed during its handshake has left');
  const peer = await client.ivshmem.join({ name: 'shared' });
  t.strictSame(peer.peers, [], 'no peer is left');
  peer.close();

  const handoff = await HandoffWire.open(runtimeDir);
  const { fds } = await handoff.ask({ joinIvshmem: { allocation: { name: 'shared' } } });
  const foreign = new IvshmemWire(fds[0] as OwnedFd);
  t.same(
    (await foreign.received(67)).length,
    67,
    'a connection that was passed as an fd uses the same protocol',
  );
  handoff.close();
  foreign.close();
  await client.free({ name: 'shared' });
});
