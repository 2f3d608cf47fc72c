/**
 * Memory of huge pages, where the host has free ones: mapped in windows, by the device, across a restart,
 * published, and kept until its last holder has ended.
 */
import { fstatSync } from 'node:fs';
import { freeHugePages } from '@vkmemd/proto';
import t from 'tap';
import { connected } from '../client/support.js';
import { SupervisedDaemon, until } from '../support/supervised-daemon.js';

const HUGE = 2n << 20n;
/** Two for the memory, and two reserved for copies by a read-only mapping. */
const NEEDED = 4n;

const free = freeHugePages(HUGE) ?? 0n;
const skip = free < NEEDED && `the host has ${free} huge pages of 2 MiB free, not ${NEEDED}`;

t.test('memory of huge pages can be mapped, published and restored', { skip }, async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  const client = await connected(t, daemon.runtimeDir);
  const memory = await client.allocate({
    size: HUGE + 1n,
    name: 'huge',
    publishable: true,
    hints: { hugePages: '2M', prefault: true },
  });
  t.equal(memory.size, 2n * HUGE, 'whole huge pages');
  using fd = memory.fd('MAPPABLE');
  const { size, blocks } = fstatSync(fd.fd);
  t.same([size, blocks * 512], [Number(memory.size), Number(memory.size)], 'all pages are allocated');
  fd.close();
  using all = memory.map();
  t.ok(
    all.bytes.every((byte) => byte === 0),
    'zero',
  );
  const window = memory.map({ offset: HUGE + 12_345n, length: 10 });
  window.bytes[0] = 42;
  t.equal(all.bytes[Number(HUGE) + 12_345], 42, 'a window at any offset');
  window.unmap();
  const reading = memory.map({ access: 'ro' });
  reading.bytes[0] = 3;
  t.equal(all.bytes[0], 0, 'a write to a read-only mapping stays in a copy');
  reading.unmap();
  await client.transfer({ fill: { to: memory, pattern: 0x01010101 } });
  t.equal(all.bytes[Number(HUGE)], 1, 'the device writes to them');
  all.unmap();
  await memory.release();
  await daemon.kill();
  await daemon.serving();
  t.match(await client.publish({ name: 'huge' }), { hints: { hugePageBytes: HUGE }, published: true });
  await using published = await client.claim({ name: 'huge' }, { access: 'ro' });
  t.equal(published.map({ length: 4 }).bytes[3], 1);
  const copy = published.fd('MAPPABLE');
  t.equal((await published.free()).freed, false, 'an fd in another process counts as a holder');
  copy.close();
  await until('all pages to be free', () => (freeHugePages(HUGE) === free ? true : undefined));
});
