/** A client whose process has no fd left: the request fails, and nothing else (MSG_CTRUNC, recvmsg(2)). */
import { fileURLToPath } from 'node:url';
import { connect } from '@vkmemd/client';
import t from 'tap';
import { assertCounts, plainEnvironment, plainNode, startDaemon } from '../support/daemon.js';
import { runProgram } from '../support/program.js';

const PROGRAM = fileURLToPath(new URL('few-fds-program.js', import.meta.url));
const LIMIT = 64;

t.test('an answer with fds that do not fit fails its request alone', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const [node, args] = plainNode([PROGRAM, runtimeDir]);
  const limited = [`--nofile=${LIMIT}:${LIMIT}`, node, ...args];
  const { code, stdout, stderr } = await runProgram('prlimit', limited, plainEnvironment());
  t.match({ code, stderr }, { code: 0, stderr: '' });
  const { results, counts, ...left } = JSON.parse(stdout);
  for (const [name, result] of Object.entries(results)) {
    t.match(
      result,
      ['TOO_MANY_FILES', 'client', new RegExp(`RLIMIT_NOFILE is ${LIMIT}\\. .*ulimit -n`)],
      name,
    );
  }
  t.strictSame(counts[1], counts[0], 'what was granted is released');
  t.strictSame(
    left,
    { same: true, list: ['later', 'mine', 'offered'], byte: 7 },
    'the session and its memory stay',
  );
  await assertCounts(t, runtimeDir, { allocations: 3, fds: 3, deviceMemories: 3 });
  await using client = await connect({ runtimeDir });
  for (const name of left.list) await (await client.claim({ name })).free();
});
