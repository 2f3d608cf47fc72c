/** The peer of rdma-guests.test.ts, in a guest of its own: it reads and writes memory of the other guest. */
import t from 'tap';
import { must } from './installed.js';
import { peer } from './rdma.js';
import { OURS, obey, overCable, THEIRS } from './rdma-orders.js';

t.test('the peer of another guest', async (t) => {
  overCable(t, THEIRS);
  await obey(async ({ verb, bytes, pattern }) => {
    const began = performance.now();
    const outcome = await peer(verb, bytes, pattern, OURS);
    t.match(outcome, { status: 0, stderr: '' }, `it ${verb}s ${bytes} bytes`);
    return { ...outcome, seconds: (performance.now() - began) / 1000 };
  });
  t.equal(must('rdma', 'resource', 'show', 'mr'), '', 'it has deregistered its own memory');
});
