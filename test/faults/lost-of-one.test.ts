/** Two devices of one host, each with a daemon: the loss of one device does not touch the other daemon. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { connect, findDaemons } from '@vkmemd/client';
import t from 'tap';
import { assertNoLeaks, startDaemon, temporaryFolder } from '../support/daemon.js';
import { FIRST_DRIVER, noSecondGpu, SECOND_DRIVER, TwoGpus } from '../support/two-gpus.js';
import { refusalOf, until } from './support.js';

t.test('the other daemon serves while a device is lost, and afterwards', { skip: noSecondGpu }, async (t) => {
  const folder = temporaryFolder(t);
  const names = [FIRST_DRIVER.part, SECOND_DRIVER.part];
  const hosts = await Promise.all(
    names.map(async (part, at) => {
      const gpus = new TwoGpus(t);
      const runtimeDir = join(folder, 'devices', `${at}`.repeat(32));
      mkdirSync(runtimeDir, { recursive: true });
      const daemon = await startDaemon(t, { runtimeDir, args: ['--device', part], env: gpus.environment });
      return { gpus, daemon, runtimeDir };
    }),
  );
  const [lost, other] = hosts as [(typeof hosts)[number], (typeof hosts)[number]];
  t.match(findDaemons({ runtimeDir: folder }), [{ device: { index: 0 } }, { device: { index: 1 } }]);
  await using first = await connect({ runtimeDir: folder, device: FIRST_DRIVER.index });
  await using second = await connect({ runtimeDir: folder, device: SECOND_DRIVER.index });
  const events: string[] = [];
  for (const event of ['reconnecting', 'disconnected', 'reconnected'] as const)
    second.on(event, () => events.push(event));
  await using memory = await first.allocate({ size: 65_536, name: 'lost' });
  await using own = await second.allocate({ size: 65_536, name: 'other', kinds: ['OPAQUE_FD'] });
  const fill = (client: typeof first, to: typeof memory) =>
    client.control.transfer({ fill: { to: { id: to.allocation.id }, pattern: 7, size: 4096 } });
  await fill(first, memory);
  await fill(second, own);

  // The device stays away until the script is replaced.
  const away = 'fail vkCreateDevice * VK_ERROR_INITIALIZATION_FAILED';
  lost.gpus.script('fail vkQueueSubmit 1 VK_ERROR_DEVICE_LOST', away);
  t.match(await refusalOf(fill(first, memory)), { code: 'DEVICE_LOST' });
  t.match(await first.control.status(), { ready: false, reasons: [{ code: 'DEVICE_LOST' }] });
  t.match(await second.control.status(), { ready: true, reasons: [], warnings: [] });
  await fill(second, own);
  await using more = await second.allocate({ size: 4096, kinds: ['OPAQUE_FD'] });
  t.match(await refusalOf(fill(first, memory)), { code: 'DEVICE_LOST' }, 'it was lost meanwhile');
  t.match(findDaemons({ runtimeDir: folder }), { length: 2 });
  lost.gpus.script();
  await until('the device is open again', async () => (await first.control.status()).ready);
  await fill(first, memory);
  await fill(second, own);
  t.strictSame(events, [], 'its session was not disturbed');
  t.notMatch(other.daemon.log(), /lost/, 'and its log has nothing of it');
  for (const each of [memory, own, more]) await each.free();
  await Promise.all([first.close(), second.close()]);
  for (const { runtimeDir } of hosts) await assertNoLeaks(t, runtimeDir);
});
