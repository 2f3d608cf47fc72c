/**
 * Lingering sockets: whatever comes, each is looked at soon, and let go once its peer has read. Time is the test's.
 */
import { mock } from 'node:test';
import { seqpacketPair } from '@vkmemd/proto';
import t from 'tap';
import { Lingering } from 'vkmemd/dist/handoff/lingering.js';

t.test('those that come put off nothing', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const lingering = new Lingering();
  let received = 0;
  // One comes every 5 ms, with everything read: a look lets go of all of them.
  for (let came = 1; came <= 20; came += 1) {
    const [kept, other] = seqpacketPair();
    lingering.keep(kept, () => {
      received += 1;
    });
    other.close();
    mock.timers.tick(5);
  }
  t.ok(received >= 10, `${received} of 20 were let go while others came`);
  mock.timers.tick(2000);
  t.equal(received, 20);
  t.equal(lingering.size, 0);
});
