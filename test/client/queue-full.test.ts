/** The kernel's queue of connections is full (EAGAIN): clients wait for a place in it, as long as for an answer. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ControlClient, connect } from '@vkmemd/client';
import {
  ADMIN_SOCKET,
  CONTROL_SOCKET,
  HANDOFF_SOCKET,
  type OwnedFd,
  openSeqpacket,
  openStream,
  VkmemError,
} from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { assertNoLeaks, requireNothing, startDaemon } from '../support/daemon.js';
import { until } from '../support/supervised-daemon.js';
import { SocketManager } from '../systemd/socket-manager.js';

/** Undefined where the queue is full. */
function openedOn(open: () => OwnedFd): OwnedFd | undefined {
  try {
    return open();
  } catch (failure) {
    if (failure instanceof VkmemError && failure.metadata.errno === 'EAGAIN') return undefined;
    throw failure;
  }
}

/** Connects until the queue is full. */
function fill(t: Test, open: () => OwnedFd): OwnedFd[] {
  const made: OwnedFd[] = [];
  t.teardown(() => {
    for (const each of made) if (each.open) each.close();
  });
  for (;;) {
    const opened = openedOn(open);
    if (!opened) return made;
    made.push(opened);
  }
}

t.test('the queue of each socket has net.core.somaxconn places', async (t) => {
  const { pid, runtimeDir } = await startDaemon(t);
  const places = Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'));
  process.kill(pid, 'SIGSTOP');
  const sockets: [string, (path: string) => OwnedFd][] = [
    [HANDOFF_SOCKET, openSeqpacket],
    [CONTROL_SOCKET, openStream],
    [ADMIN_SOCKET, openStream],
  ];
  for (const [name, open] of sockets) {
    const waiting = fill(t, () => open(join(runtimeDir, name)));
    // The kernel takes one more than it has places (net/unix/af_unix.c).
    t.equal(waiting.length, places + 1, name);
    for (const each of waiting) each.close();
  }
  process.kill(pid, 'SIGCONT');
  // Those that are gone by now are accepted all the same, and count until they are closed.
  await until('others are served again', async () => {
    for (const [name, open] of sockets) openedOn(() => open(join(runtimeDir, name)))?.close();
    const control = new ControlWire(runtimeDir);
    const served = await control.budget().then(
      ({ counts }) => counts.sessions === 0 || undefined,
      () => undefined,
    );
    control.close();
    return served;
  });
  await assertNoLeaks(t, runtimeDir);
});

t.test('a client waits for a place in the queue', async (t) => {
  t.setTimeout(120_000);
  const manager = new SocketManager(t);
  await manager.listening();
  const { folder } = manager;
  const waiting = [
    ...fill(t, () => openSeqpacket(`${folder}/handoff.sock`)),
    ...fill(t, () => openStream(`${folder}/control.sock`)),
  ];
  t.comment(`${waiting.length} connections wait`);
  const full = { code: 'UNAVAILABLE', metadata: { errno: 'EAGAIN' } };
  await t.rejects(connect({ runtimeDir: folder, timeoutMs: 300 }), {
    ...full,
    reason: /The queue of connections that wait for the daemon is full\. It was full for 300 ms/,
  });
  const began = performance.now();
  {
    await using control = new ControlClient({ runtimeDir: folder, timeoutMs: 400 });
    await t.rejects(control.budget(), { ...full, metadata: { errno: 'EAGAIN', outcome: 'not-done' } });
  }
  t.ok(performance.now() - began >= 300, 'a call does not fail at once');

  const client = connect({ runtimeDir: folder, timeoutMs: 60_000 });
  await using control = new ControlClient({ runtimeDir: folder, timeoutMs: 60_000 });
  const budget = control.budget();
  await new Promise((resolve) => setTimeout(resolve, 200));
  for (const each of waiting) each.close();
  await manager.start();
  await (await client).close();
  t.match(await budget, { counts: {} }, 'both are served once there is room');
  await requireNothing(folder);
  t.equal(await manager.stop(), 0);
});

t.test('the end of the client ends the wait', async (t) => {
  const manager = new SocketManager(t);
  await manager.listening();
  fill(t, () => openStream(`${manager.folder}/control.sock`));
  const control = new ControlClient({ runtimeDir: manager.folder, timeoutMs: 60_000 });
  const call = control.budget();
  const ended = t.rejects(call, { code: 'UNAVAILABLE' });
  await new Promise((resolve) => setTimeout(resolve, 100));
  await control.close();
  await ended;
});
