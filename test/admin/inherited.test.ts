/**
 * The admin plane on a socket that listens already, as a service manager leaves one; in this process, with a
 * real device.
 */

import { once } from 'node:events';
import { existsSync, openSync, readdirSync, renameSync } from 'node:fs';
import { createServer } from 'node:net';
import { OwnedFd } from '@vkmemd/proto';
import t from 'tap';
import { AdminServer } from 'vkmemd/dist/admin/server.js';
import { Policy } from 'vkmemd/dist/policy/policy.js';
import { Device } from 'vkmemd/dist/vulkan/device.js';
import { until } from '../faults/support.js';
import { coreOn } from '../support/core.js';
import { driverUnderTest, temporaryFolder } from '../support/daemon.js';
import { adminSocket, get } from './support.js';

process.env.VK_DRIVER_FILES = driverUnderTest();

/** A fd that listens at the path, and nothing else that does. */
async function inherited(path: string): Promise<OwnedFd> {
  const server = createServer().listen(`${path}.made`);
  await once(server, 'listening');
  const own = new OwnedFd((server as unknown as { _handle: { fd: number } })._handle.fd, "the server's");
  const fd = own.dup('inherited');
  own.take();
  // The server would remove the file that it made.
  renameSync(`${path}.made`, path);
  await new Promise((resolve) => server.close(resolve));
  return fd;
}

const SOURCES = { recovery: { serving: true }, connectionCounts: () => ({}) };

t.test('it serves there, leaves the file alone, and leaves no fd', async (t) => {
  const device = await Device.open();
  const faults: string[] = [];
  const core = coreOn(device, { policy: new Policy({ rules: [] }), faults });
  const folder = temporaryFolder(t);
  const path = adminSocket(folder);
  const fd = await inherited(path);
  const before = readdirSync('/proc/self/fd').length;
  const admin = await AdminServer.open({ ...core, ...SOURCES }, fd, [{ host: '127.0.0.1', port: 0 }]);
  const starting = await get(folder, '/readyz');
  t.match(
    [starting.status, starting.json()],
    [503, { reasons: [{ code: 'UNAVAILABLE', message: /starting/ }] }],
  );
  admin.enter('SERVING');
  t.equal((await get(folder, '/readyz')).status, 200);
  t.equal((await get(`http://${admin.addresses[0]}`, '/readyz')).status, 200);
  t.ok(core.requestEvents.hasSubscribers, 'it listens');
  await admin[Symbol.asyncDispose]();
  t.notOk(core.requestEvents.hasSubscribers, 'not any more');
  t.ok(existsSync(path), 'whose socket it is removes it');
  // Our own ends of the connections go a moment later.
  await until('nothing is open that was not', () => readdirSync('/proc/self/fd').length < before);
  t.equal(core.fds.leased, 0);
  t.strictSame(faults, []);
  await device.close();
});

t.test('one that does not listen is refused and closed', async (t) => {
  const device = await Device.open();
  const core = coreOn(device, { policy: new Policy({ rules: [] }), faults: [] });
  const file = new OwnedFd(openSync('/dev/null', 'r'), 'null');
  await t.rejects(AdminServer.open({ ...core, ...SOURCES }, file, []), { code: 'ENOTSOCK' });
  t.equal(file.open, false);
  t.notOk(core.requestEvents.hasSubscribers, 'and nothing is left of the attempt');
  await device.close();
});
