/** The cost of a process that ends with very many sessions: others do not wait for them. */
import '../support/without-hooks.js';

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { costOf, linear } from '../support/cost.js';
import { assertCounts, plainEnvironment, plainNode, startInProcess } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';

t.setTimeout(300_000);

const PROGRAM = fileURLToPath(new URL('sessions-program.js', import.meta.url));
/** Four times as many may be open with the files that a process has here. */
const SESSIONS = 500;

t.test('a process with very many sessions is killed', async (t) => {
  const { runtimeDir } = await startInProcess(t);
  const other = await HandoffWire.open(runtimeDir);
  const sessions = async () => (await other.ask({ getStatus: {} })).message.getStatus?.counts?.sessions ?? 0;
  await linear(t, SESSIONS, async (count) => {
    const [node, args] = plainNode([PROGRAM, runtimeDir, String(count)]);
    const process_ = spawn(node, args, { env: plainEnvironment(), stdio: ['ignore', 'pipe', 'inherit'] });
    await once(process_.stdout, 'data');
    t.equal(await sessions(), count + 1);
    return costOf(async () => {
      process_.kill('SIGKILL');
      await once(process_, 'close');
      while ((await sessions()) > 1);
    });
  });
  other.close();
  await assertCounts(t, runtimeDir, {});
});
