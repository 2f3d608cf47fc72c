/**
 * Lingering sockets: each is polled soon, however many are added, and closed once its peer has read. The
 * clock is mocked.
 */
import { mock } from 'node:test';
import { disposable, seqpacketPair } from '@vkmemd/proto';
import t from 'tap';
import { Lingering } from 'vkmemd/dist/handoff/lingering.js';

t.test('adding sockets does not delay the polling of others', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const lingering = new Lingering();
  let received = 0;
  // One is added every 5 ms, completely read: one poll closes all of them.
  for (let came = 1; came <= 20; came += 1) {
    const [retained, other] = seqpacketPair();
    lingering.add(
      retained,
      disposable(() => {
        received += 1;
      }),
    );
    other.close();
    mock.timers.tick(5);
  }
  t.ok(received >= 10, `${received} of 20 were closed while others were added`);
  mock.timers.tick(2000);
  t.equal(received, 20);
  t.equal(lingering.size, 0);
});

t.test('a socket that is added after disposal is closed at once', (t) => {
  const lingering = new Lingering();
  const [unread, other] = seqpacketPair();
  lingering[Symbol.dispose]();
  let disposed = 0;
  lingering.add(
    unread,
    disposable(() => {
      disposed += 1;
    }),
  );
  t.same([lingering.size, disposed], [0, 1]);
  other.close();
  t.end();
});
