/**
 * System calls that old container runtimes, old kernels or security modules refuse: the daemon uses another way, or
 * says what it lacks.
 */
import { spawnSync } from 'node:child_process';
import { connect } from '@vkmemd/client';
import t, { type Test } from 'tap';
import { execute } from '../cli/support.js';
import { asUser } from '../support/as-user.js';
import { ANYBODY, startDaemon } from '../support/daemon.js';
import { refusing } from '../support/refuse-calls.js';
import { noOtherUser, OTHER_UID, openToOthers } from '../support/uid.js';

const python = spawnSync('python3', ['--version']);
const skip = python.error ? `no python3 here: ${python.error.message}` : false;
const GROUP = 65_529;

const start = (t: Test, errno: string, calls: readonly string[], policy = '') =>
  startDaemon(t, { policy, before: refusing(errno, ...calls) });

for (const errno of ['EPERM', 'ENOSYS', 'EACCES']) {
  t.test(`memfd_create: ${errno}`, { skip }, async (t) => {
    const { runtimeDir } = await start(t, errno, ['memfd_create']);
    await using client = await connect({ runtimeDir });
    const [device] = (await client.devices()).devices;
    const mappable = device?.kinds.find(({ kind }) => kind === 'KIND_MAPPABLE');
    t.match(mappable, { rung: 'RUNG_UNSUPPORTED' });
    t.match(mappable?.reason, new RegExp(`memfd_create.*${errno}.*seccomp profile`));
    await t.rejects(client.allocate({ size: 4096, kinds: ['MAPPABLE'] }), {
      code: 'KIND_UNSUPPORTED',
      message: /memfd_create/,
    });
  });

  t.test(`SO_PEERGROUPS and SO_PEERPIDFD: ${errno}`, { skip: skip || noOtherUser || false }, async (t) => {
    const refused = ['getsockopt:SO_PEERGROUPS', 'getsockopt:SO_PEERPIDFD'];
    const daemon = await start(t, errno, refused, ANYBODY);
    await using client = await connect({ runtimeDir: daemon.runtimeDir });
    await using memory = await client.allocate({ size: 4096 });
    t.equal(memory.allocation.kept, false, 'this daemon has no fd store');
    t.match(daemon.log(), /refuses SO_PEERGROUPS/);
  });

  t.test(`SO_PEERGROUPS alone: ${errno}`, { skip: skip || noOtherUser || false }, async (t) => {
    const policy = `[[rule]]\ngroup = ${GROUP}\nconnect = true\n`;
    const { runtimeDir } = await start(t, errno, ['getsockopt:SO_PEERGROUPS'], policy);
    openToOthers(runtimeDir);
    for (const [groups, connects] of [
      [[GROUP], true],
      [[], false],
    ] as const) {
      const who = { uid: OTHER_UID, gid: OTHER_UID, groups: [...groups] };
      const answer = asUser(who, 'connects.js', [runtimeDir]);
      t.strictSame(await answer, { connects }, `groups ${groups.join()}: those of the process count`);
    }
  });

  t.test(`close_range: ${errno}`, { skip }, async (t) => {
    const { runtimeDir } = await start(t, errno, ['close_range']);
    const { ended } = execute(runtimeDir, ['--allocate', 'name=one,size=4K,lifetime=session', '--', 'true']);
    t.match(await ended, { code: 0 });
  });
}
