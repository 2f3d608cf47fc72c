/**
 * A driver that prefers dedicated memory (a fake, between the loader and lavapipe): the daemon follows the
 * preference where it has no disadvantage. An image of a compressed format cannot be cleared, so memory that
 * is dedicated to it cannot be zeroed; other memory can.
 */
import { connect } from '@vkmemd/client';
import t from 'tap';
import { startDaemon } from '../support/daemon.js';
import { FakeLayer } from '../support/fake-layer.js';

const IMAGE = { width: 64, height: 64, usage: 0x7 };
const RGBA8 = 37;
const BC1 = 131;

t.test('memory is dedicated where the driver prefers it and it can be zeroed', async (t) => {
  const layer = new FakeLayer(t, 'prefers_dedicated yes');
  const { runtimeDir } = await startDaemon(t, { env: layer.environment });
  await using client = await connect({ runtimeDir });
  const cases = [
    ['OPAQUE_FD', RGBA8, true],
    ['OPAQUE_FD', BC1, false],
    // Imported host memory is never dedicated.
    ['MAPPABLE', RGBA8, false],
  ] as const;
  for (const [kind, format, dedicated] of cases) {
    await using memory = await client.allocate({ kinds: [kind], image: { ...IMAGE, format } });
    t.equal(memory.allocation.requirements?.prefersDedicated, true);
    t.equal(memory.allocation.dedicated, dedicated, `format ${format} as ${kind}`);
    t.equal(memory.grants[0]?.dedicated, dedicated);
  }
  t.same(layer.leaks(), []);
});
