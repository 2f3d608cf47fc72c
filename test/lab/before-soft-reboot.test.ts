/**
 * Before `systemctl soft-reboot`, which replaces the whole user space by a new one on the same kernel: memory with
 * a name is filled. The service keeps its fds by the settings of docs/operations.md.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { must, property, restart, SERVICE, session } from './installed.js';
import { OF_DEVICE } from './pattern.js';
import { NAME, SETTINGS, SIZE, STAMP } from './soft-reboot.js';

t.test('memory is allocated', async (t) => {
  mkdirSync(`/etc/systemd/system/${SERVICE}.d`, { recursive: true });
  writeFileSync(`/etc/systemd/system/${SERVICE}.d/keep.conf`, SETTINGS);
  must('systemctl', 'daemon-reload');
  t.equal(property('FileDescriptorStorePreserve'), 'yes');
  await restart();
  await using client = await session();
  const memory = await client.allocate({ size: SIZE, name: NAME });
  await client.transfer({ fill: { to: memory, pattern: OF_DEVICE.first } });
  using map = memory.map();
  t.equal(map.bytes[SIZE - 1], OF_DEVICE.first >>> 24);
  // /run outlasts a soft-reboot.
  writeFileSync(
    STAMP,
    `${property('InvocationID')} ${must('systemctl', 'show', '--value', '-p', 'UserspaceTimestampMonotonic')}`,
  );
});
