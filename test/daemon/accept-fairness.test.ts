/** One user connects again and again, as fast as it can, in several ways: others are served all the same. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { connect } from '@vkmemd/client';
import t, { type Test } from 'tap';
import { setpriv } from '../support/as-user.js';
import { ANYBODY, assertNoLeaks, plainEnvironment, plainNode, startDaemon } from '../support/daemon.js';
import { noOtherUser, OTHER_UID, openToOthers } from '../support/uid.js';

const PROGRAM = fileURLToPath(new URL('../support/connect-flood.js', import.meta.url));
const ATTACKER = { uid: OTHER_UID, gid: OTHER_UID, groups: [] };

async function flood(t: Test, runtimeDir: string, way: 'hello' | 'connect'): Promise<ChildProcess> {
  const [node, args] = plainNode([PROGRAM, runtimeDir, way]);
  const [command = '', ...rest] = [...setpriv(ATTACKER), node, ...args];
  const child = spawn(command, rest, { env: plainEnvironment(), stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
}

t.test('a user who floods the socket with connections', { skip: noOtherUser ?? false }, async (t) => {
  t.setTimeout(180_000);
  const { runtimeDir } = await startDaemon(t, { policy: ANYBODY });
  openToOthers(runtimeDir);
  for (const way of ['connect', 'hello'] as const) {
    const floods = [await flood(t, runtimeDir, way), await flood(t, runtimeDir, way)];
    for (let round = 0; round < 30; round += 1) {
      await using client = await connect({ runtimeDir, timeoutMs: 10_000 });
      t.equal((await client.budget()).counts.allocations, 0, `${way}: another user is served`);
    }
    for (const each of floods) {
      const closed = once(each, 'close');
      each.kill('SIGKILL');
      await closed;
    }
    await assertNoLeaks(t, runtimeDir);
  }
});
