/** Who is root: uid 0 in the daemon's own user and pid namespaces, and whose group the sockets have. */
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { asUser } from '../support/as-user.js';
import { plainEnvironment, plainNode, startDaemon, temporaryFolder } from '../support/daemon.js';
import { runProgram } from '../support/program.js';
import { noOtherUser, OTHER_UID } from '../support/uid.js';

const SOCKETS = ['handoff.sock', 'control.sock'];
const TENANT = {
  hello: 'served',
  session: 'served',
  named: 'served',
  list: 'served',
  reload: 'NOT_PERMITTED',
};
const OPERATOR = { ...TENANT, reload: 'served' };
const REFUSED = { hello: 'NOT_PERMITTED', closed: true, list: 'disconnected', reload: 'disconnected' };

const SPACES = {
  pid: ['unshare', '--pid', '--fork', '--mount-proc'],
  'pid, with the /proc of the host': ['unshare', '--pid', '--fork'],
  user: ['unshare', '--user', '--map-root-user'],
  'user and pid': ['unshare', '--user', '--map-root-user', '--pid', '--fork', '--mount-proc'],
} as const;

/** What root may do in these namespaces. */
async function asRoot(runtimeDir: string, space: readonly string[]): Promise<unknown> {
  const probe = fileURLToPath(new URL('../support/probe-policy.js', import.meta.url));
  const [node, nodeArgs] = plainNode([probe, runtimeDir]);
  const [program = '', ...args] = [...space, node, ...nodeArgs];
  const { code, stdout, stderr } = await runProgram(program, args, plainEnvironment());
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${stderr}`);
  return JSON.parse(stdout);
}

const unable = (space: readonly string[]) =>
  spawnSync('unshare', [...space.slice(1), 'true']).status === 0
    ? false
    : 'no such namespace can be created here';

t.test('root is an operator in the namespaces of the daemon', { skip: noOtherUser ?? false }, async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const probe = (space: readonly string[]) => asRoot(runtimeDir, space);
  t.strictSame(await probe([]), OPERATOR);
  t.strictSame(
    await probe(['unshare', '--mount', '--net', '--ipc', '--uts']),
    OPERATOR,
    'others do not count',
  );
  for (const [name, space] of Object.entries(SPACES)) {
    const skip = unable(space);
    if (skip) t.pass(name, { skip });
    // It has the group of the sockets, as any tenant.
    else t.strictSame(await probe(space), TENANT, `of another namespace (${name}) it is a tenant`);
  }
});

t.test('and not even a tenant without a rule, or the group', { skip: noOtherUser ?? false }, async (t) => {
  const policy = `[[rule]]\nuid = ${OTHER_UID}\nconnect = true\n`;
  const { runtimeDir } = await startDaemon(t, { policy });
  const probe = (space: readonly string[]) => asRoot(runtimeDir, space);
  t.strictSame(await probe([]), OPERATOR);
  t.strictSame(await probe(SPACES.pid), REFUSED);
  const { runtimeDir: named } = await startDaemon(t, {
    policy: `${policy}[[rule]]\nuid = 0\noperator = true\n`,
  });
  t.strictSame(await asRoot(named, SPACES.pid), OPERATOR, 'a rule can name it');
});

t.test(
  'the user that stands for all that are not mapped is refused',
  { skip: noOtherUser ?? false },
  async (t) => {
    const uid = Number(readFileSync('/proc/sys/kernel/overflowuid', 'utf8'));
    const { runtimeDir } = await startDaemon(t, { policy: '[[rule]]\nconnect = true\n' });
    chmodSync(runtimeDir, 0o755);
    for (const socket of SOCKETS) chmodSync(join(runtimeDir, socket), 0o666);
    const probe = (id: number) => asUser({ uid: id, gid: id, groups: [] }, 'probe-policy.js', [runtimeDir]);
    t.strictSame(await probe(OTHER_UID), TENANT, 'another user is not');
    t.strictSame(await probe(uid), REFUSED);
  },
);

t.test("the sockets' group is that of their files", { skip: noOtherUser ?? false }, async (t) => {
  const group = 5000;
  const folder = join(temporaryFolder(t), 'run');
  mkdirSync(folder);
  chownSync(folder, 0, group);
  chmodSync(folder, 0o2755);
  chmodSync(join(folder, '..'), 0o755);
  const { runtimeDir } = await startDaemon(t, { runtimeDir: folder });
  const member = { uid: OTHER_UID, gid: OTHER_UID, groups: [group] };
  t.strictSame(await asUser(member, 'probe-policy.js', [runtimeDir]), TENANT, 'its members are tenants');
  for (const socket of SOCKETS) chmodSync(join(runtimeDir, socket), 0o666);
  const other = { uid: OTHER_UID, gid: OTHER_UID, groups: [0] };
  t.strictSame(
    await asUser(other, 'probe-policy.js', [runtimeDir]),
    REFUSED,
    "those of the daemon's are not",
  );
});
