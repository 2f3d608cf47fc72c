/** vkmemctl alloc --if-exists: a script that is run twice, and two concurrent scripts. */
import { chmodSync } from 'node:fs';
import t from 'tap';
import { asUser } from '../support/as-user.js';
import { ANYBODY, assertCounts, startDaemon } from '../support/daemon.js';
import { noOtherUser, OTHER_UID, openToOthers } from '../support/uid.js';
import { parsed, vkmemctl } from './support.js';

const PROGRAM = '../../../client/typescript/dist/cli/main.js';

t.test('alloc --if-exists claims on the second run and when two run concurrently', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const alloc = (...args: string[]) => vkmemctl(runtimeDir, 'alloc', 'frames', ...args);
  const claim = ['--if-exists', 'claim'];
  const first = parsed(await alloc('--size', '64K', ...claim, '--json'));
  t.match(first, { created: true, allocation: { name: 'frames', sizeBytes: 65_536 } });
  const { id } = first.allocation;
  t.match(parsed(await alloc('--size', '60K', ...claim, '--json')), { created: false, allocation: { id } });
  t.match(await alloc('--size', '64K', '--if-exists', 'CLAIM'), {
    code: 0,
    stdout: `Existing frames: 64 KiB, MAPPABLE, id ${id}.\n`,
    stderr: '',
  });
  await assertCounts(t, runtimeDir, { allocations: 1, fds: 1, deviceMemories: 1 });
  const refused: [string[], RegExp][] = [
    [['--size', '64K'], /^vkmemctl: NAME_TAKEN: [^\n]+\n$/],
    [['--size', '64K', '--if-exists', 'fail'], /^vkmemctl: NAME_TAKEN: [^\n]+\n$/],
    [['--size', '65K', ...claim], /NAME_TAKEN: .* frames exists, but it has 65536 bytes\. /],
    [['--size', '64K', '--kind', 'opaque_fd', ...claim], /NAME_TAKEN: .* it is not for KIND_OPAQUE_FD\. /],
    [
      ['--size', '64K', '--sharing', 'exclusive', ...claim],
      /NAME_TAKEN: .* its sharing is SHARING_SHARED\. /,
    ],
    [['--size', '64K', '--if-exists', 'free'], /^vkmemctl: INVALID_ARGUMENT: .*ifExists: [^\n]+\n$/],
    [['--size', '64K', '--if-exists', ''], /^vkmemctl: INVALID_ARGUMENT: .*ifExists: [^\n]+\n$/],
  ];
  for (const [args, stderr] of refused)
    t.match(await alloc(...args), { code: 1, stdout: '', stderr }, args.join(' '));
  t.equal((await vkmemctl(runtimeDir, 'free', 'frames')).code, 0);
  const both = await Promise.all([1, 2].map(() => alloc('--size', '128M', ...claim, '--json')));
  t.strictSame(both.map((ended) => parsed(ended).created).sort(), [false, true]);
  t.equal((await vkmemctl(runtimeDir, 'free', 'frames')).code, 0);
});

t.test('exec finds memory of another user by UID/NAME', { skip: noOtherUser ?? false }, async (t) => {
  const owner = process.getuid?.();
  const rule = `[[rule]]\nuid = ${OTHER_UID}\nclaim_from = ${owner}\n`;
  const { runtimeDir } = await startDaemon(t, { policy: `${ANYBODY}${rule}` });
  openToOthers(runtimeDir);
  const { id } = parsed(await vkmemctl(runtimeDir, 'alloc', 'frames', '--size', '64K', '--json')).allocation;
  const name = `${owner}/frames`;
  const command = ['--', 'sh', '-c', 'echo "$VKMEM_ALLOCATIONS"'];
  const exec = (text: string) => ['exec', '--allocate', text, ...command];
  const user = { uid: OTHER_UID, gid: OTHER_UID, groups: [] };
  const args = exec(`name=${name},size=64K,if-exists=claim`);
  t.strictSame(await asUser(user, PROGRAM, ['--runtime-dir', runtimeDir, ...args]), { [name]: id });
  const refused: [string, RegExp][] = [
    [`name=${owner}/missing,size=64K,if-exists=claim`, /^vkmemctl: NOT_FOUND: /],
    [`name=${name},size=65K,if-exists=claim`, /NAME_TAKEN: .* 0\/frames exists, but it has 65536 bytes/],
    [`name=${name},size=64K`, /INVALID_ARGUMENT: .* add if-exists=claim to use it/],
  ];
  for (const [text, stderr] of refused) {
    t.match(await vkmemctl(runtimeDir, ...exec(text)), { code: 1, stdout: '', stderr }, text);
  }
  t.equal((await vkmemctl(runtimeDir, 'free', 'frames')).code, 0);
});

t.test("alloc --if-exists of another user's name fails", { skip: noOtherUser ?? false }, async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: ANYBODY });
  chmodSync(runtimeDir, 0o755);
  openToOthers(runtimeDir);
  const args = ['alloc', 'frames', '--size', '64K', '--if-exists', 'claim', '--json'];
  const own = parsed(await vkmemctl(runtimeDir, ...args)).allocation;
  const run = () =>
    asUser({ uid: OTHER_UID, gid: OTHER_UID, groups: [] }, PROGRAM, ['--runtime-dir', runtimeDir, ...args]);
  t.match(await run(), { created: true, allocation: { name: 'frames', ownerUid: OTHER_UID } });
  t.match(await run(), { created: false, allocation: { ownerUid: OTHER_UID } });
  t.equal(own.ownerUid, process.getuid?.());
  t.equal((await vkmemctl(runtimeDir, 'free', 'frames', `${OTHER_UID}/frames`)).code, 0);
});
