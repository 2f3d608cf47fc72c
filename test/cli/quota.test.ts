/** vkmemctl quota against a real daemon: its tables, its JSON, and its exit codes. */
import t from 'tap';
import { startDaemon } from '../support/daemon.js';
import { parsed, vkmemctl } from './support.js';

const UID = '4000000000';

t.test('quota shows, sets and resets quotas', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const run = (...args: string[]) => vkmemctl(runtimeDir, 'quota', ...args);
  t.same(await run('--all'), { code: 0, stdout: 'No user holds anything.\n', stderr: '' });
  const own = parsed(await run('--json')).quota;
  t.match(own, { uid: process.getuid?.(), revision: 1, overridden: false, sessions: { used: 0 } });
  t.same(own.heaps[0], { heapIndex: 0, limitBytes: null, usedBytes: 0, overageBytes: 0, reservedBytes: 0 });

  const changes = ['--set', 'heap0=16GiB', '--reserve', '0=4K', '--allocations', '5', '--sessions', '0'];
  const applied = await run(UID, ...changes);
  t.match(applied, { code: 0, stderr: '' });
  const lines = applied.stdout.trimEnd().split('\n');
  t.match(lines[0], /^ +UID +REVISION +SET BY +WHAT +LIMIT +USED +OVERAGE +RESERVED$/);
  t.match(lines[1], /^4000000000 +2 +operator +heap 0 +16 GiB +0 B +0 B +4 KiB$/);
  t.match(applied.stdout, /^4000000000 +2 +operator +allocations +5 +0 +0$/m);
  t.match(applied.stdout, /^4000000000 +2 +operator +sessions +0 +0 +0$/m);
  t.equal((await run('--all')).stdout, applied.stdout);
  t.equal((await run(UID)).stdout, applied.stdout);
  t.match((await vkmemctl(runtimeDir, 'budget')).stdout, /\nGuaranteed on heap 0, not used: 4 KiB\n$/);

  const conflict = await run(UID, '--set', 'heap0=4095', '--json');
  t.equal(conflict.code, 1);
  t.match(
    conflict.stderr,
    /^vkmemctl: CONFLICT: Nothing was changed\. 4096 bytes of heap 0 would be reserved, .*\n$/,
  );
  t.match(parsed(conflict), {
    outcome: 'CONFLICT',
    reason: /^4096 bytes/,
    quota: { revision: 2, heaps: [{ limitBytes: 2 ** 34 }] },
  });
  const stale = await run(UID, '--reset', '--if-revision', '1', '--json');
  t.match(stale, {
    code: 1,
    stderr: /^vkmemctl: STALE: Nothing was changed\. The quota now has revision 2; .*\n$/,
  });
  t.match(parsed(stale), { outcome: 'STALE', quota: { revision: 2, overridden: true } });
  const reset = await run(UID, '--reset', '--if-revision', '2', '--json');
  t.match(parsed(reset), { outcome: 'APPLIED', quota: { revision: 3 } });
  t.same(parsed(await run('--all', '--json')), { quotas: [] });
});

t.test('sizes and users are written as in the policy', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const run = (...args: string[]) => vkmemctl(runtimeDir, 'quota', ...args, '--json');
  t.match(parsed(await run('root')), { quota: { uid: 0 } }, 'the name of a user');
  const { heaps } = parsed(await vkmemctl(runtimeDir, 'budget', '--json'));
  const { sizeBytes } = heaps[0];
  const changes = ['--set', 'heap0=50%', '--reserve', '0=10 %', '--sessions', 'unlimited'];
  const percents = parsed(await run('daemon', ...changes)).quota;
  t.match(percents, {
    uid: 1,
    heaps: [{ limitBytes: Math.floor(sizeBytes / 2), reservedBytes: Math.floor(sizeBytes / 10) }],
    sessions: { limit: 2 ** 32 - 1 },
  });
  const whole = parsed(await run('1', '--set', 'heap0=unlimited')).quota;
  t.equal(whole.heaps[0].limitBytes, sizeBytes);
  t.match(parsed(await run('1', '--set', '0=64mib')).quota, { heaps: [{}] }, 'a unit in any case');
  t.match(parsed(await run('daemon', '--reset')), { outcome: 'APPLIED' });
});

t.test('a quota table fits a terminal', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const max = String(2 ** 32 - 1);
  const huge = ['--set', 'heap0=8191T', '--allocations', max, '--tickets', max];
  const { stdout } = await vkmemctl(runtimeDir, 'quota', max, ...huge);
  const wide = stdout.split('\n').filter((line) => line.length > 100);
  t.strictSame(wide, []);
  t.match(stdout, / 8\.0 PiB /);
});

t.test('refused and invalid quota commands exit with the error', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const refused = async (...args: string[]) => {
    const { code, stderr } = await vkmemctl(runtimeDir, 'quota', ...args);
    t.equal(code, 1, args.join(' '));
    return stderr;
  };
  t.match(
    await refused('no-such-user'),
    /^vkmemctl: INVALID_ARGUMENT: .*this host knows no user "no-such-user"\. .*give the uid \(id -u NAME/,
  );
  t.match(await refused('-1x'), /INVALID_ARGUMENT/);
  t.match(await refused('--sessions', '5'), /^vkmemctl: INVALID_ARGUMENT: .* A change requires one USER/);
  t.match(
    await refused(UID, '--all'),
    /^vkmemctl: INVALID_ARGUMENT: .* USER and --all cannot be used together/,
  );
  t.match(await refused(UID, '--set', '16GiB'), /INVALID_ARGUMENT: .* write heap0=16GiB\./);
  t.match(await refused(UID, '--set', 'heap0=16GB'), /^vkmemctl: INVALID_SIZE: /);
  t.match(await refused(UID, '--set', 'heap0=101%'), /INVALID_ARGUMENT: .* is more than a whole heap\./);
  t.match(await refused(UID, '--set', 'heap9=50%'), /INVALID_ARGUMENT: .* the device does not have\./);
  t.match(
    await refused(UID, '--set', 'heap0=share'),
    /INVALID_ARGUMENT: .* only the policy can give; .*--reset/,
  );
  t.match(await refused(UID, '--reserve', '0=unlimited'), /INVALID_ARGUMENT: .* cannot be reserved\./);
  t.match(
    await refused(UID, '--if-revision', '1'),
    /INVALID_ARGUMENT: .* --if-revision requires an option that changes the quota\./,
  );
  t.match(
    await refused(UID, '--reset', '--sessions', '1'),
    /INVALID_ARGUMENT: .* must not change anything else\./,
  );
  t.match(await vkmemctl(runtimeDir, 'quota', '--help'), {
    code: 0,
    stdout: /vkmemctl quota 1000 --reset\n/,
  });
});
