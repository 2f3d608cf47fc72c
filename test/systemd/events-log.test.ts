/** The log of events: grants are the daemon's only record of who was given what, and only at the level debug. */
import t from 'tap';
import { assertNoLeaks, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';

const GRANTED = '"msg":"an allocation was granted"';

t.test('at the level debug each grant is logged with its session, and at other levels nothing', async (t) => {
  for (const level of ['debug', 'info']) {
    const daemon = await startDaemon(t, { args: ['--log-level', level] });
    const { runtimeDir } = daemon;
    const wire = await HandoffWire.open(runtimeDir);
    const { sessionId } = wire.welcome;
    const kinds = ['KIND_MAPPABLE'] as const;
    const { message } = await wire.ask({ allocate: { sizeBytes: 4096n, kinds, grantKinds: [] } });
    const id = message.allocate?.allocation?.id ?? '';
    const claim = { allocation: { id }, kinds };
    for (const fd of (await wire.ask({ claim })).fds) fd.close();
    const lines = daemon
      .log()
      .split('\n')
      .filter((line) => line.includes(GRANTED));
    t.equal(lines.length, level === 'debug' ? 1 : 0, level);
    for (const line of lines) {
      const expected = { allocation: id, session: String(sessionId), uid: process.getuid?.() };
      t.match(JSON.parse(line), expected);
      t.notMatch(line, wire.welcome.sessionToken, 'without its token');
    }
    await wire.ask({ free: { allocation: { id } } });
    wire.close();
    await assertNoLeaks(t, runtimeDir);
  }
});
