/**
 * vkmemctl vm attach and detach, with a real QEMU: memory that it was given counts as QEMU's own, and nothing
 * remains after detach.
 */

import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { openPidfd } from '@vkmemd/client';
import t, { type Test } from 'tap';
import { parsed, vkmemctl } from '../cli/support.js';
import { connected, MIB } from '../client/support.js';
import { assertCounts, assertNoLeaks, startDaemon, temporaryFolder } from '../support/daemon.js';
import { until } from '../support/supervised-daemon.js';
import { fdsOf, hotplug, hotUnplug, listHotplugged, Monitor, noQemu, startMachine, stop } from './machine.js';

const CYCLES = 200;

/** A socket whose peer behaves as scripted. */
async function impostor(t: Test, speak: (socket: Socket) => void): Promise<string> {
  const path = join(temporaryFolder(t), 'qmp.sock');
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    speak(socket);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return path;
}

t.test('attach to a running machine', { skip: noQemu ?? false }, async (t) => {
  const { runtimeDir, pid } = await startDaemon(t);
  const machine = await startMachine(t, '-m', '128M,slots=2,maxmem=1G', '-machine', 'nvdimm=on');
  const client = await connected(t, runtimeDir);
  const memory = await client.allocate({ name: 'frames', size: 2 * MIB });
  const ctl = (...args: string[]) => vkmemctl(runtimeDir, 'vm', ...args, '--qmp', machine.qmp);
  /** The test's own client and its memory stay during the whole test. */
  const mine = { sessions: 1, allocations: 1, grants: 1, fds: 1, deviceMemories: 1 };

  await t.test('attach adds memory, and detach removes it', async (t) => {
    memory.map().bytes.fill(0x5a);
    const attached = parsed(await ctl('attach', 'frames', '--as', 'dimm', '--json'));
    t.match(attached, { device: 'vkmem-frames', form: 'dimm', access: 'rw', pid: machine.child.pid });
    await assertCounts(t, runtimeDir, { ...mine, sessions: 2, grants: 2 });
    const monitor = await machine.monitor();
    const [{ data }] = (await monitor.execute('query-memory-devices')) as [{ data: { addr: number } }];
    const seen = await monitor.execute('human-monitor-command', { 'command-line': `xp /1xw ${data.addr}` });
    t.match(seen, /0x5a5a5a5a/, "the guest's memory has the worker's bytes");
    t.strictSame(await monitor.execute('query-fdsets'), [], 'QEMU keeps no fd for it');
    monitor.close();
    const second = await ctl('attach', 'frames', '--as', 'dimm', '--json');
    t.equal(parsed(second).error.code, 'VMM_REFUSED');
    t.match(second.stderr, /Duplicate device ID/, "with QEMU's own message");
    const waited = await ctl('detach', 'frames', '--timeout', '1s');
    t.match(waited.stderr, /VMM_REFUSED.*must release vkmem-frames/, 'no guest runs that could release it');
    await assertCounts(t, runtimeDir, { ...mine, sessions: 2, grants: 2 });
  });

  await t.test('read-only memory can be read', async (t) => {
    t.equal((await ctl('attach', 'frames', '--as', 'nvdimm-ro', '--id', 'ro')).code, 0);
    const wrong = await ctl('attach', 'frames', '--as', 'nvdimm-ro', '--access', 'rw');
    t.match(wrong.stderr, /INVALID_ARGUMENT/);
    t.match((await ctl('detach', 'frames')).stderr, /more than once; specify one of ro, vkmem-frames/);
    const odd = await client.allocate({ name: 'odd', size: 3 * MIB });
    const unfit = await ctl('attach', 'odd');
    t.match(unfit.stderr, /SIZE_NOT_POWER_OF_TWO/, 'QEMU would abort');
    await odd.free();
    await assertCounts(t, runtimeDir, { ...mine, sessions: 3, grants: 3 });
  });

  await t.test(`${CYCLES} cycles of attach and detach leave no fd`, async (t) => {
    t.equal((await ctl('attach', 'frames', '--id', 'bar')).code, 0);
    const detached = ctl('detach', 'bar');
    await machine.release();
    t.match(await detached, { code: 0, stdout: /^Detached bar from process/ });
    const monitor = await machine.monitor();
    const cycle = async () => {
      const granted = await client.claim({ name: 'frames' });
      const pidfd = openPidfd(machine.child.pid ?? 0);
      const fd = granted.fd('MAPPABLE');
      const [allocation, session] = [granted.id, await granted.entrust(pidfd)];
      const plug = { allocation, session, fd, size: granted.size, access: 'rw' };
      await hotplug(monitor, { ...plug, driver: 'ivshmem-plain', device: 'bar' });
      for (const own of [fd, pidfd]) own.close();
      await granted.release();
      const found = (await listHotplugged(monitor)).find(({ device }) => device === 'bar');
      const unplugged = hotUnplug(monitor, found, 10_000);
      await machine.release();
      await unplugged;
      await client.endEntrusted(session);
    };
    await cycle();
    const fds = () => [fdsOf(machine.child.pid), fdsOf(pid), fdsOf(process.pid)].join();
    const before = fds();
    for (let at = 1; at < CYCLES; at += 1) await cycle();
    await t.resolves(until('as many fds as before', () => (fds() === before ? true : undefined)));
    monitor.close();
    await assertCounts(t, runtimeDir, { ...mine, sessions: 3, grants: 3 });
  });

  await t.test('a killed machine holds nothing', async (t) => {
    t.equal((await memory.free()).freed, false);
    await assertCounts(t, runtimeDir, { sessions: 3, drainingAllocations: 1, grants: 2, fds: 1 });
    await stop(machine.child);
    await assertCounts(t, runtimeDir, { sessions: 1 });
  });
});

t.test('a socket that is not a QEMU monitor is reported, and nothing stays', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connected(t, runtimeDir);
  const memory = await client.allocate({ name: 'frames', size: MIB, grant: [] });
  const attach = async (qmp: string, name = 'frames') =>
    (await vkmemctl(runtimeDir, 'vm', 'attach', name, '--qmp', qmp)).stderr;
  const greeting = '{"QMP": {"version": {}, "capabilities": []}}\n';
  const mute = await impostor(t, () => {});
  await t.rejects(Monitor.connect(mute, 200), { code: 'VMM_REFUSED', message: /a greeting did not arrive/ });
  const babble = await impostor(t, (socket) => socket.write('SSH-2.0-OpenSSH\r\n'));
  const polite = await impostor(t, (socket) => {
    socket.write(greeting);
    socket.on('data', (said) => {
      const { id, execute } = JSON.parse(String(said));
      if (execute === 'qmp_capabilities') socket.write(`{"return": {}, "id": ${id}}\n`);
      else socket.destroy(); // as one that is closed midway
    });
  });
  const [absent, garbage, hangup, unknown] = await Promise.all([
    attach(join(runtimeDir, 'missing.sock')),
    attach(babble),
    attach(polite),
    attach(polite, 'nothing'),
  ]);
  t.match(absent, /VMM_REFUSED.*missing\.sock: .*ENOENT/);
  t.match(garbage, /VMM_REFUSED.*not a JSON object: "SSH-2\.0-OpenSSH/);
  t.match(hangup, /VMM_REFUSED.*the monitor closed the connection/);
  t.match(unknown, /NOT_FOUND/);
  await memory.free();
  await client.close();
  await assertNoLeaks(t, runtimeDir);
});
