/** AllocateMany over the end of a daemon: a request whose answer was lost is sent again, and makes nothing twice. */
import { connect } from '@vkmemd/client';
import t from 'tap';
import { SupervisedDaemon } from '../support/supervised-daemon.js';
import { nothingLeft } from './support.js';

const COUNT = 600;

t.test('many allocations over the end of the daemon', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  const client = await connect({ runtimeDir: daemon.runtimeDir });
  // The session is kept from its first allocation on.
  const first = await client.allocate({ size: 4096 });
  for (const delayMs of [30, 90, 200]) {
    const list = Array.from({ length: COUNT }, (_, index) => ({
      size: 4096,
      name: `many-${delayMs}-${index}`,
    }));
    const asked = client.allocateMany(list);
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    await daemon.kill();
    const made = await asked;
    t.equal((await client.list()).length, 1 + COUNT, 'each is made once');
    t.ok(made.every(({ grants }) => grants.length === 1));
    for (const [index, memory] of made.entries()) memory.map().bytes.fill(index % 251);
    const claimed = await client.claimMany(list.map(({ name }) => ({ name })));
    const same = claimed.every(
      (one, index) =>
        one.status === 'fulfilled' && one.value.map().bytes.every((byte) => byte === index % 251),
    );
    t.ok(same, 'and can be claimed');
    for (const one of claimed) if (one.status === 'fulfilled') await one.value.release();
    await Promise.all(made.map((memory) => memory.free()));
  }
  await first.free();
  await client.close();
  await nothingLeft(t, daemon);
});
