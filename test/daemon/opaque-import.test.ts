/**
 * OPAQUE_FD memory in a second process: it imports the granted fd into a Vulkan device of its own with the
 * same UUIDs and reads the bytes that the daemon's device wrote.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { assertCounts, driverUnderTest, plainEnvironment, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';

const SIZE = 1 << 20;

t.test('another process can import a granted OPAQUE_FD', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const wire = await HandoffWire.open(runtimeDir);
  const control = new ControlWire(runtimeDir);
  const kinds = ['KIND_OPAQUE_FD'] as const;
  const { message, fds } = await wire.ask({
    allocate: { sizeBytes: BigInt(SIZE), kinds, grantKinds: kinds, name: 'opaque' },
  });
  const grant = message.allocate?.grants[0];
  const [fd] = fds;
  if (!grant || !fd) throw new Error('no grant');
  const allocation = { name: 'opaque' };
  await control.call('Transfer', { fill: { allocation, pattern: 0x11111111 } });
  const half = { allocation, offsetBytes: BigInt(SIZE / 2), sizeBytes: 0n, pattern: 0x22222222 };
  await control.call('Transfer', { fill: half });
  const expected = Buffer.alloc(SIZE, 0x11);
  expected.fill(0x22, SIZE / 2);

  const program = fileURLToPath(new URL('../vulkan/importer.js', import.meta.url));
  const args = [program, String(grant.allocationSizeBytes), String(grant.memoryTypeIndex)];
  const importer = spawn(process.execPath, args, {
    env: { ...plainEnvironment(), VK_DRIVER_FILES: driverUnderTest() },
    stdio: ['ignore', 'pipe', 'inherit', fd.fd],
  });
  let output = '';
  importer.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const code = await new Promise((resolve) => importer.once('close', resolve));
  t.equal(code, 0);
  t.match(output, createHash('sha256').update(expected).digest('hex'), "it reads the device's bytes");

  fd.close();
  const { message: freed } = await wire.ask({ free: { allocation } });
  t.equal(freed.free?.freed, true);
  await assertCounts(t, runtimeDir, { sessions: 1 });
  wire.close();
  control.close();
});
