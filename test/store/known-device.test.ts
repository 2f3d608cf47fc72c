/** What a start believes of the file about the device of the daemon before: only what that daemon certainly wrote. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import t, { type Test } from 'tap';
import { KnownDeviceFile } from 'vkmemd/dist/store/known-device.js';
import { Device } from 'vkmemd/dist/vulkan/device.js';
import { lavapipe, temporaryFolder } from '../support/daemon.js';

process.env.VK_DRIVER_FILES = lavapipe();
const device = await Device.open();
const { known } = device;
await device.close();

function fileIn(t: Test, more: Partial<ConstructorParameters<typeof KnownDeviceFile>[1]> = {}) {
  const folder = temporaryFolder(t);
  const failures: unknown[] = [];
  const terms = { version: '1', selector: undefined, env: {}, kernelDriver: () => 'kernel', ...more };
  const open = (changed = {}) =>
    new KnownDeviceFile(folder, { ...terms, ...changed }, (failure) => failures.push(failure));
  return { path: join(folder, 'device.v8'), open, failures };
}

t.test('what was saved is known', (t) => {
  const { open, failures } = fileIn(t);
  open().save(known);
  t.strictSame(open().read(), known);
  t.equal(open({ version: '2' }).read(), undefined, 'but not to another version');
  t.equal(open({ selector: '1' }).read(), undefined, 'nor for another device');
  t.equal(open({ env: { VK_DRIVER_FILES: '/other' } }).read(), undefined, 'nor with another driver');
  t.equal(open({ kernelDriver: () => 'other' }).read(), undefined, 'nor with another kernel driver');
  open({ kernelDriver: () => undefined }).save(known);
  t.equal(open().read(), undefined, 'where the kernel does not know the driver, nothing is kept');
  t.strictSame(failures, []);
  t.end();
});

t.test('a damaged file is not believed', (t) => {
  const { path, open } = fileIn(t);
  open().save(known);
  const bytes = readFileSync(path);
  const wrong: number[] = [];
  for (let at = 0; at < bytes.length; at += 1) {
    const damaged = Buffer.from(bytes);
    damaged[at] = (damaged[at] ?? 0) ^ 4;
    writeFileSync(path, damaged);
    if (open().read() !== undefined) wrong.push(at);
  }
  t.strictSame(wrong, [], 'whichever byte is another one');
  for (const length of [0, 1, 31, 32, 33, 100, bytes.length - 1]) {
    writeFileSync(path, bytes.subarray(0, length));
    t.equal(open().read(), undefined, `${length} bytes of it`);
  }
  t.end();
});

t.test('nor one that another build of the same version wrote', (t) => {
  const { path, open } = fileIn(t);
  const shapes: unknown[] = [
    undefined,
    null,
    7,
    'text',
    {},
    { info: null, capabilities: null },
    { info: known.info },
    { capabilities: known.capabilities },
    { ...known, info: { ...known.info, heaps: 3 } },
    { ...known, info: { ...known.info, deviceUuid: 'text' } },
    { ...known, info: { ...known.info, limits: undefined } },
    { ...known, capabilities: { ...known.capabilities, kinds: {} } },
    { ...known, capabilities: { ...known.capabilities, pages: undefined } },
  ];
  for (const shape of shapes) {
    rmSync(path, { force: true });
    open().save(shape as never);
    t.equal(open().read(), undefined);
  }
  open().save(known);
  // As one without a digest was.
  const start = deserialize(readFileSync(path).subarray(32)).start;
  writeFileSync(path, serialize({ start, kernelDriver: 'kernel', known }));
  t.equal(open().read(), undefined);
  t.end();
});

t.test('what is in its place ends no start', (t) => {
  const { path, open, failures } = fileIn(t);
  mkdirSync(path);
  t.equal(open().read(), undefined);
  open().save(known);
  open().remove();
  t.equal(failures.length, 2, 'it is reported');
  rmSync(path, { recursive: true });
  open().remove();
  t.equal(failures.length, 2);
  t.end();
});
