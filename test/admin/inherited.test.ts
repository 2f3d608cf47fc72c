/**
 * The admin plane on an inherited listening socket, as a service manager passes one; in this process, with a
 * real device.
 */

import { once } from 'node:events';
import { existsSync, openSync, readdirSync, renameSync } from 'node:fs';
import { createServer } from 'node:net';
import { OwnedFd } from '@vkmemd/proto';
import t from 'tap';
import { Front } from 'vkmemd/dist/callers/front.js';
import { CallersPlane } from 'vkmemd/dist/callers/plane.js';
import type { Core } from 'vkmemd/dist/core.js';
import { startFrontHere } from 'vkmemd/dist/front/in-process.js';
import { Policy } from 'vkmemd/dist/policy/policy.js';
import { makeStreamHandlers } from 'vkmemd/dist/requests/handlers.js';
import type { Status } from 'vkmemd/dist/status.js';
import { Device } from 'vkmemd/dist/vulkan/device.js';
import { until } from '../faults/support.js';
import { coreOn, handlersOf, statusOf } from '../support/core.js';
import { driverUnderTest, temporaryFolder } from '../support/daemon.js';
import { adminSocket, get } from './support.js';

process.env.VK_DRIVER_FILES = driverUnderTest();

/** An fd that listens at the path; its server object no longer owns the path. */
async function inherited(path: string): Promise<OwnedFd> {
  const server = createServer().listen(`${path}.made`);
  await once(server, 'listening');
  const own = new OwnedFd((server as unknown as { _handle: { fd: number } })._handle.fd, "the server's");
  const fd = own.dup('inherited');
  own.take();
  // Otherwise close() of the server would remove the file.
  renameSync(`${path}.made`, path);
  await new Promise((resolve) => server.close(resolve));
  return fd;
}

function frontHere(): Front {
  const front = new Front({ start: startFrontHere, note: () => {}, maxBytes: () => Infinity });
  front.start();
  return front;
}

const planeOn = (core: Core, status: Status, front: Front): CallersPlane =>
  new CallersPlane({
    ...core,
    front,
    handlers: { ...handlersOf(core, { status }), ...makeStreamHandlers(core) },
  });

t.test('the admin plane serves on an inherited socket, keeps its file, and leaves no fd open', async (t) => {
  const device = await Device.open();
  const faults: string[] = [];
  const core = coreOn(device, { policy: new Policy({ rules: [] }), faults });
  const folder = temporaryFolder(t);
  const path = adminSocket(folder);
  const fd = await inherited(path);
  const before = readdirSync('/proc/self/fd').length;
  const status = statusOf(core);
  const front = frontHere();
  const plane = planeOn(core, status, front);
  plane.listen('ADMIN', fd);
  const { host, port } = plane.listenTcp({ host: '127.0.0.1', port: 0 });
  const starting = await get(folder, '/readyz');
  t.match(
    [starting.status, starting.json()],
    [503, { reasons: [{ code: 'UNAVAILABLE', message: /starting/ }] }],
  );
  status.stage = 'SERVING';
  t.equal((await get(folder, '/readyz')).status, 200);
  t.equal((await get(`http://${host}:${port}`, '/readyz')).status, 200);
  await plane[Symbol.asyncDispose]();
  await front[Symbol.asyncDispose]();
  t.ok(existsSync(path), 'the owner of the socket removes the file');
  // Our own ends of the connections close a moment later.
  await until('no new fd is open', () => readdirSync('/proc/self/fd').length < before);
  t.equal(core.fds.leased, 0);
  t.strictSame(faults, []);
  await device.close();
});

t.test('an inherited fd that is not a listening socket is refused and closed', async (t) => {
  const device = await Device.open();
  const core = coreOn(device, { policy: new Policy({ rules: [] }), faults: [] });
  const file = new OwnedFd(openSync('/dev/null', 'r'), 'null');
  const front = frontHere();
  const plane = planeOn(core, statusOf(core), front);
  t.throws(() => plane.listen('ADMIN', file), { code: 'ENOTSOCK' });
  t.equal(file.open, false);
  await plane[Symbol.asyncDispose]();
  await front[Symbol.asyncDispose]();
  await device.close();
});
