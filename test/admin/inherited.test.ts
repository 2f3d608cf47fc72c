/**
 * The admin plane on a socket that listens already, as a service manager leaves one; in this process, with a real device.
 */

import { channel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { existsSync, openSync, readdirSync, renameSync } from 'node:fs';
import { createServer } from 'node:net';
import { OwnedFd } from '@vkmemd/proto';
import t from 'tap';
import { AdminServer } from 'vkmemd/dist/admin/server.js';
import { FdBudget, openFiles } from 'vkmemd/dist/limits/fd-budget.js';
import { Domain } from 'vkmemd/dist/memory/domain.js';
import { Policy } from 'vkmemd/dist/policy/policy.js';
import { REQUEST_CHANNEL } from 'vkmemd/dist/requests/events.js';
import { Device } from 'vkmemd/dist/vulkan/device.js';
import { until } from '../faults/support.js';
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

function domainOn(device: Device, faults: string[]): Domain {
  const policy = new Policy({ rules: [] });
  const settings = { policy, readPolicy: async () => policy, fds: new FdBudget(openFiles(), 32) };
  return new Domain(device, '0.0.0', settings, { fault: (what) => faults.push(what), note() {} });
}

t.test('it serves there, leaves the file alone, and leaves no fd', async (t) => {
  const device = await Device.open();
  const faults: string[] = [];
  const domain = domainOn(device, faults);
  const folder = temporaryFolder(t);
  const path = adminSocket(folder);
  const fd = await inherited(path);
  const before = readdirSync('/proc/self/fd').length;
  const admin = await AdminServer.open(domain, fd, [{ host: '127.0.0.1', port: 0 }], {
    recovery: { serving: true },
    connections: {},
  });
  const starting = await get(folder, '/readyz');
  t.match(
    [starting.status, starting.json()],
    [503, { reasons: [{ code: 'UNAVAILABLE', message: /starting/ }] }],
  );
  admin.enter('SERVING');
  t.equal((await get(folder, '/readyz')).status, 200);
  t.equal((await get(`http://${admin.addresses[0]}`, '/readyz')).status, 200);
  t.ok(channel(REQUEST_CHANNEL).hasSubscribers, 'it listens');
  await admin.close();
  t.notOk(channel(REQUEST_CHANNEL).hasSubscribers, 'not any more');
  t.ok(existsSync(path), 'whose socket it is removes it');
  // Our own ends of the connections go a moment later.
  await until('nothing is open that was not', () => readdirSync('/proc/self/fd').length < before);
  t.equal(domain.fds.leased, 0);
  t.strictSame(faults, []);
  await device.close();
});

t.test('one that does not listen is refused and closed', async (t) => {
  const device = await Device.open();
  const domain = domainOn(device, []);
  const file = new OwnedFd(openSync('/dev/null', 'r'), 'null');
  const sources = { recovery: { serving: true }, connections: {} };
  await t.rejects(AdminServer.open(domain, file, [], sources), { code: 'ENOTSOCK' });
  t.equal(file.open, false);
  t.notOk(channel(REQUEST_CHANNEL).hasSubscribers, 'and nothing is left of the attempt');
  await device.close();
});
