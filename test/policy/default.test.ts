/**
 * The users that a daemon without a policy serves, tested by processes with real credentials: root, the
 * daemon's own user, members of its group, other users. The contents of messages do not change a user's
 * rights.
 */
import { chmodSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { asUser } from '../support/as-user.js';
import { startDaemon } from '../support/daemon.js';
import { noOtherUser } from '../support/uid.js';
import { folderOf } from './support.js';

/** Ids of no account. */
const DAEMON = { uid: 64_001, gid: 64_002 };
const UNLISTED = 64_010;

const OPERATOR = { hello: 'served', session: 'served', named: 'served', list: 'served', reload: 'served' };
const TENANT = { ...OPERATOR, reload: 'NOT_PERMITTED' };
/** The handoff socket says why; the control socket disconnects before gRPC is spoken. */
const REFUSED = { hello: 'NOT_PERMITTED', closed: true, list: 'disconnected', reload: 'disconnected' };

t.test(
  "without a policy only operators and members of the daemon's group are served",
  { skip: noOtherUser ?? false },
  async (t) => {
    const configRoot = folderOf(t, {});
    chmodSync(configRoot, 0o755);
    const { runtimeDir } = await startDaemon(t, { user: DAEMON, configRoot });
    chmodSync(runtimeDir, 0o755);
    const visit = (uid: number, gid: number, ...groups: number[]) =>
      asUser({ uid, gid, groups }, 'probe-policy.js', [runtimeDir]);
    for (const socket of ['handoff.sock', 'control.sock']) {
      t.match(statSync(join(runtimeDir, socket)), DAEMON, `${socket} belongs to the daemon's user and group`);
    }
    t.strictSame(await visit(0, 0), OPERATOR, 'root');
    t.strictSame(await visit(DAEMON.uid, UNLISTED), OPERATOR, "the daemon's own user");
    t.strictSame(await visit(UNLISTED, DAEMON.gid), TENANT, 'a member of its group');
    t.strictSame(await visit(UNLISTED, UNLISTED, 7, DAEMON.gid, 9), TENANT, 'by a supplementary group');
    // Even where the sockets' mode admits them.
    for (const socket of ['handoff.sock', 'control.sock']) chmodSync(join(runtimeDir, socket), 0o666);
    t.strictSame(
      await visit(UNLISTED, UNLISTED),
      REFUSED,
      'another user is refused with a message and disconnected',
    );
    t.strictSame(await visit(UNLISTED, UNLISTED, 7, 0), REFUSED, "root's group has no rights");
  },
);

t.test('with rules, each user has the rights that match it', { skip: noOtherUser ?? false }, async (t) => {
  const policy = `[[rule]]
uid = ${UNLISTED}
connect = true
lifetimes = "SESSION"
[[rule]]
group = ${UNLISTED + 1}
operator = true
kinds = []
[[rule]]
uid = 0
operator = false
`;
  const { runtimeDir } = await startDaemon(t, { user: DAEMON, policy });
  chmodSync(runtimeDir, 0o755);
  for (const socket of ['handoff.sock', 'control.sock']) chmodSync(join(runtimeDir, socket), 0o666);
  const visit = (uid: number, gid: number, ...groups: number[]) =>
    asUser({ uid, gid, groups }, 'probe-policy.js', [runtimeDir]);
  t.strictSame(await visit(UNLISTED, 7), { ...TENANT, named: 'NOT_PERMITTED' }, 'the rights of its rule');
  const none = { session: 'NOT_PERMITTED', named: 'NOT_PERMITTED' };
  t.strictSame(await visit(7, 7, UNLISTED + 1), { ...OPERATOR, ...none }, 'an operator without kinds');
  t.strictSame(await visit(0, 0), TENANT, 'root, which a rule makes an ordinary user');
  t.strictSame(await visit(7, DAEMON.gid), REFUSED, "a member of the daemon's group without a rule");
});
