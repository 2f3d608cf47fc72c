/** What clients can make the front write to the log: a bounded number of short lines. */
import t from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { assertNoLeaks, startDaemon } from '../support/daemon.js';
import { rawSession } from '../support/raw-http2.js';
import { anotherFront, sleep } from './support.js';

const CALLS = 2000;
const SIDE_BY_SIDE = 50;
/** In a second the front writes 10 lines of at most 420 bytes. */
const [LINES_PER_SECOND, LINE_BYTES] = [10, 420];
const PATH = '/vkmem.v1.DeviceService/GetBudget';
const CALL = { ':method': 'POST', ':path': PATH, 'content-type': 'application/grpc', te: 'trailers' };

/** Calls: name -> [more headers, whether the client goes away within the call]. */
const BAD: Readonly<Record<string, readonly [Record<string, string>, boolean]>> = {
  'header values that are no text': [{ 'x-value': `\u00e9${'v'.repeat(600)}`, 'x-other': '\u0080' }, false],
  'a call that is not ended, by a client that goes away': [{}, true],
  'a timeout that is none': [{ 'grpc-timeout': 'soon' }, false],
  'an encoding that is none': [{ 'grpc-encoding': 'rot13' }, false],
};

t.setTimeout(120_000);

for (const [name, [headers, leaves]] of Object.entries(BAD)) {
  t.test(`the log is paced: ${name}`, async (t) => {
    const daemon = await startDaemon(t);
    const { runtimeDir, log } = daemon;
    const front = await anotherFront(daemon);
    const before = log().length;
    const began = performance.now();
    for (let call = 0; call < CALLS; call += SIDE_BY_SIDE) {
      const session = rawSession(runtimeDir, 65_535);
      session.on('error', () => {});
      const streams = Array.from({ length: SIDE_BY_SIDE }, () => {
        const stream = session.request({ ...CALL, ...headers });
        stream.on('error', () => {}).resume();
        if (leaves) stream.write(Buffer.alloc(3));
        else stream.end(Buffer.alloc(5));
        return stream;
      });
      if (!leaves)
        await Promise.all(streams.map((stream) => new Promise((resolve) => stream.once('close', resolve))));
      else await new Promise((resolve) => streams[0]?.once('ready', resolve));
      session.destroy();
    }
    await sleep(200);
    const seconds = Math.ceil((performance.now() - began) / 1000) + 1;
    const written = log().slice(before);
    t.ok(
      written.length <= seconds * LINES_PER_SECOND * LINE_BYTES,
      `${written.length} bytes in ${seconds} s`,
    );
    t.notMatch(written, /\u0080|"level":50/, 'no fault of the core');
    t.comment(`figure: ${name}: ${CALLS} calls, ${written.length} bytes of log`);
    t.equal(await anotherFront(daemon), front, 'it is the same front');
    const control = new ControlWire(runtimeDir);
    await control.budget();
    control.close();
    await assertNoLeaks(t, runtimeDir);
  });
}
