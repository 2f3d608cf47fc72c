/** vkmemctl vm ivshmem --fd: QEMU gets a connection in place of a path, as in a sandbox without the path. */
import { readlinkSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '@vkmemd/client';
import t from 'tap';
import { vkmemctl } from '../cli/support.js';
import { root, startDaemon, temporaryFolder } from '../support/daemon.js';
import { IvshmemGuest } from '../support/ivshmem-guest.js';
import { noQemu, QEMU, Qemu } from '../support/qemu.js';
import { until } from '../support/supervised-daemon.js';

t.test('a machine with an inherited connection', { skip: noQemu ?? false }, async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using client = await connect({ runtimeDir });
  const memory = await client.allocate({ name: 'frames', size: 1n << 20n });
  const program = [
    process.execPath,
    `${root}/client/typescript/bin/vkmemctl.js`,
    '--runtime-dir',
    runtimeDir,
  ];
  const offer = ['vm', 'ivshmem', 'frames', '--vectors', '2', '--fd', '--', QEMU];
  const device = ['-chardev', 'socket,id=c,fd={fd}', '-device', 'ivshmem-doorbell,chardev=c,vectors=2'];
  const start = () => Qemu.start(t, device, { command: [...program, ...offer] });
  const machine = await start();
  const guest = await IvshmemGuest.of(machine);
  const worker = await client.ivshmem.join({ id: memory.id });
  const rung = new Promise((resolve) => worker.once('interrupt', resolve));
  t.same(await guest.ring(worker.id, 0, rung), 0, 'it is a peer like any other');
  const [server] = await client.control.ivshmem.list();
  t.strictSame(
    server?.peers.map(({ id, pid }) => [id, pid]),
    [
      [0, machine.pid],
      [1, process.pid],
    ],
    "the peer's process is QEMU",
  );
  const other = await start();
  t.same(await (await IvshmemGuest.of(other)).position(), 2, 'another machine can join the same server');
  await machine.kill();
  await other.kill();
  await until('both have left', async () => {
    const [{ peers } = { peers: [] }] = await client.control.ivshmem.list();
    return peers.length === 1 || undefined;
  });
  await memory.free();

  const wrong = await vkmemctl(runtimeDir, 'vm', 'ivshmem', 'frames', '--fd');
  t.match(wrong, { code: 1, stderr: /INVALID_ARGUMENT.*--fd/ });
  t.match(await vkmemctl(runtimeDir, 'vm', 'ivshmem', 'frames', '--', 'true'), { code: 1, stderr: /--fd/ });
  t.match(await vkmemctl(runtimeDir, 'vm', 'ivshmem', 'missing', '--fd', '--', 'true'), {
    code: 1,
    stderr: /NOT_FOUND/,
  });
});

t.test('a link to the socket', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const folder = temporaryFolder(t);
  await using client = await connect({ runtimeDir });
  await client.allocate({ name: 'frames', size: 1n << 20n });
  const offer = (...more: string[]) => vkmemctl(runtimeDir, 'vm', 'ivshmem', 'frames', ...more);
  const servers = () => client.control.ivshmem.list();
  const [foreign, own] = [join(folder, 'foreign.sock'), join(folder, 'own.sock')];
  symlinkSync('/nowhere/foreign.sock', foreign);
  t.match(await offer('--path', foreign), { code: 1, stderr: /INVALID_ARGUMENT.*exists/ });
  t.equal(readlinkSync(foreign), '/nowhere/foreign.sock', "another user's link is left alone");
  t.match(await offer('--path', join(folder, 'none/x.sock')), { code: 1, stderr: /ENOENT/ });
  t.match(await offer('--fd', '--', 'no-such-command'), { code: 127 });
  t.strictSame(await servers(), [], 'a failed command leaves no server');

  t.match(await offer('--vectors', '3'), { code: 0 });
  t.match(await offer(), { code: 1, stderr: /ALREADY_SERVED/ });
  t.match(await offer('--path', own, '--vectors', '2'), { code: 1, stderr: /offered with 3/ });
  t.match(await offer('--path', own), { code: 0 });
  t.equal(readlinkSync(own), (await servers())[0]?.path, 'the link points to the existing server');
  t.match(await offer('--path', own), { code: 1, stderr: /exists/ }, 'a link with an existing target stays');
  await client.free({ name: 'frames' });
  await client.allocate({ name: 'frames', size: 1n << 20n });
  t.match(await offer('--path', own), { code: 0 }, 'a dangling link is replaced');
  t.equal(readlinkSync(own), (await servers())[0]?.path);
  await client.free({ name: 'frames' });
});
