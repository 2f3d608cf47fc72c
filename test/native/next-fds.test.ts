/**
 * The next fds of an untrusted peer are accepted when its earlier ones are closed, also while the threads that
 * closed them wait for a lock.
 */
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { Connection, OwnedFd, pendingCloses, seqpacketPair } from '@vkmemd/proto';
import t from 'tap';
import { plainEnvironment, root } from '../support/daemon.js';
import { runNode } from '../support/program.js';
import { openFds, sameFds, until } from './open-fds.js';

const LIBRARY = join(root, 'test/native/build/libslow_locks.so');
const CHILD = 'VKMEMD_TEST_SLOW_LOCKS';
/** As many as are closed at once for one user. */
const FDS = 16;
const MESSAGES = 20;

if (process.env[CHILD] === undefined) {
  t.test('with slow locks', async (t) => {
    const env = {
      ...plainEnvironment(),
      LD_PRELOAD: [process.env.LD_PRELOAD, LIBRARY].filter(Boolean).join(':'),
      [CHILD]: '1',
    };
    const { code, stdout, stderr } = await runNode([import.meta.filename], env);
    t.equal(code, 0, `${stdout}${stderr}`);
  });
} else {
  t.test('a peer that sends fds again and again is not refused', async (t) => {
    const before = openFds();
    const faults: string[] = [];
    let [received, closed] = [0, false];
    const [one, other] = seqpacketPair();
    const receiver = new Connection(
      one,
      {
        message: (_, fds) => {
          received += 1;
          for (const fd of fds) fd.close();
        },
        fault: ({ kind }) => {
          faults.push(kind);
          return undefined;
        },
        close: () => (closed = true),
      },
      { maxFds: FDS, untrusted: true },
    );
    const limits = { maxQueuedFds: FDS * MESSAGES };
    const sender = new Connection(other, { message: () => {}, close: () => {} }, limits);
    const file = openSync('/dev/null', 'r');
    for (let i = 0; i < MESSAGES; i += 1) {
      const fds = Array.from({ length: FDS }, () => OwnedFd.duplicateOf(file, 'sent'));
      sender.send(Buffer.from('fds'), fds);
    }
    closeSync(file);
    await until(() => received === MESSAGES || faults.length > 0, 60_000);
    t.strictSame({ received, faults }, { received: MESSAGES, faults: [] });
    sender.close();
    receiver.close();
    await until(() => closed && pendingCloses() === 0);
    await sameFds(t, before);
  });
}
