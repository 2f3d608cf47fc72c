/** After `systemctl soft-reboot`: another systemd, another daemon, the same memory. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { denials, eventually, must, property, ready, SERVICE, session } from './installed.js';
import { firstOther, OF_DEVICE } from './pattern.js';
import { NAME, STAMP } from './soft-reboot.js';

t.test('memory outlives a soft-reboot', async (t) => {
  const [before = '', userspace] = readFileSync(STAMP, 'utf8').split(' ');
  t.not(
    must('systemctl', 'show', '--value', '-p', 'UserspaceTimestampMonotonic'),
    userspace,
    'user space is new',
  );
  must('systemctl', 'start', SERVICE);
  await ready(before);
  await using client = await session();
  const memory = await client.claim({ name: NAME }, { access: 'ro' });
  const map = memory.map({ access: 'ro' });
  t.equal(firstOther(map.bytes, OF_DEVICE), undefined, 'with its bytes');
  map.unmap();
  await memory.release();
});

t.test('without a daemon it is kept, and freed by systemctl clean', async (t) => {
  must('systemctl', 'stop', SERVICE);
  t.not(property('NFileDescriptorStore'), '0', 'a stop keeps it, with these settings');
  must('systemctl', 'clean', '--what=fdstore', SERVICE);
  await eventually('systemd stores nothing', () => property('NFileDescriptorStore') === '0' || undefined);
  must('systemctl', 'start', SERVICE);
  await ready();
  await using client = await session();
  await t.rejects(client.claim({ name: NAME }), { code: 'NOT_FOUND' });
  t.match((await client.budget()).counts, { allocations: 0, drainingAllocations: 0 });
});

t.test('AppArmor has refused nothing', async (t) => {
  t.strictSame(denials(), []);
});
