/** Processes that survive their sessions while they hold locks: what the daemon keeps for them is counted. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { encode, HANDOFF_SOCKET, PROTOCOL_VERSION } from '@vkmemd/proto';
import t from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { root } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { claim, claimOf, kinds, NAME, ref, release } from '../support/locks.js';
import { noOtherUser } from '../support/uid.js';
import { startWitnessed } from '../support/witness.js';

const PROGRAM = join(root, 'test/support/orphaning.py');
const PROCESSES = 64;
const hex = (message: Parameters<typeof encode<'ClientMessage'>>[1]) =>
  Buffer.from(encode('ClientMessage', message)).toString('hex');

t.test(
  'the daemon keeps locks of surviving processes only while it has fds for them',
  { skip: noOtherUser ?? false },
  async (t) => {
    const daemon = await startWitnessed(t);
    const { runtimeDir } = daemon;
    const control = new ControlWire(runtimeDir);
    await control.call('Allocate', { sizeBytes: 4096n, kinds, name: NAME, sharing: 'SHARING_EXCLUSIVE' });
    const worker = await HandoffWire.open(runtimeDir);
    const messages = [
      hex({ sequence: 1n, hello: { protocolVersion: PROTOCOL_VERSION } }),
      hex({ sequence: 2n, claim: claimOf('ro') }),
    ];
    const args = [PROGRAM, join(runtimeDir, HANDOFF_SOCKET), String(PROCESSES), ...messages];
    const orphaning = spawn('python3', args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const { value: outcomes = '' } = await createInterface({ input: orphaning.stdout })
      [Symbol.asyncIterator]()
      .next();
    // A refused process returns its fds with a delay: one more may be served then.
    t.match(outcomes, /^\+{8}[+-]*-{24}$/, 'the first get locks, the rest are refused');
    t.equal(outcomes.length, PROCESSES);
    await release(worker, await claim(worker, 'ro'));
    t.pass('a client that was connected before is still served');
    await t.rejects(claim(worker, 'rw'), { code: 'BUSY' }, 'and the processes keep their locks');
    orphaning.stdin.end();
    await once(orphaning, 'exit');
    await release(worker, await claim(worker, 'rw', 60_000));
    t.pass('until they end');
    await control.call('FreeAllocation', { allocation: ref });
    worker.close();
    control.close();
    t.strictSame(daemon.failures(), [], 'no call failed for lack of fds');
  },
);
