/**
 * vkmemctl exec: the environment of the command, how it ends, and that nothing is left if it does not start.
 */
import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { connected, PAGE } from '../client/support.js';
import {
  assertCounts,
  assertNoLeaks,
  plainEnvironment,
  startDaemon,
  temporaryFolder,
} from '../support/daemon.js';
import { execute, executed, inheritingProgram, parsed, program, vkmemctl } from './support.js';

const SCRATCH = ['--allocate', 'name=scratch,size=1M,lifetime=session'];
const FRAMES = ['--allocate', 'name=frames,size=64K'];
const node = (...args: string[]) => ['--', process.execPath, ...args];
const shell = (script: string) => ['--', 'sh', '-c', script];

t.test('a program with the library gets its session and its memory', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const { child, said, ended } = execute(runtimeDir, [
    ...FRAMES,
    ...SCRATCH,
    ...node(inheritingProgram, 'frames', '7'),
  ]);
  const found = await said;
  t.match(found, { pid: child.pid, inherited: true, left: [], second: 'UNAVAILABLE', budget: 1 });
  t.strictSame(Object.keys(found.allocations), ['frames', 'scratch']);
  t.equal(found.environment.PATH, process.env.PATH, 'the rest of the environment is unchanged');
  await assertCounts(t, runtimeDir, { sessions: 1, allocations: 2, grants: 1, fds: 2, deviceMemories: 2 });

  const reader = await connected(t, runtimeDir);
  const memory = await reader.claim({ name: 'frames' }, { access: 'ro' });
  t.equal(memory.id, found.allocations.frames);
  t.same(memory.map().bytes.subarray(0, PAGE), Buffer.alloc(PAGE, 7), 'the bytes that it wrote are visible');
  await memory.release();
  await reader.close();
  child.stdin.end();
  t.match(await ended, { code: 0, stderr: '' });
  await assertCounts(t, runtimeDir, { allocations: 1, fds: 1, deviceMemories: 1 });
  t.equal((await vkmemctl(runtimeDir, 'free', 'frames')).code, 0, 'NAMED memory stays');
});

t.test('exec passes exit codes, signals and output through', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  t.same(await executed(runtimeDir, shell('echo out; echo err >&2; exit 7')), {
    code: 7,
    stdout: 'out\n',
    stderr: 'err\n',
  });
  t.match(await executed(runtimeDir, shell('kill -SEGV $$')), { code: 'SIGSEGV' });
  const { child, said, ended } = execute(runtimeDir, [...SCRATCH, ...node(inheritingProgram)]);
  await said;
  child.kill('SIGTERM');
  t.match(await ended, { code: 5 }, "the exit code of the command's own handler");
  const { child: another, ended: end, said: ready } = execute(runtimeDir, shell('echo 1; exec cat'));
  await ready;
  another.kill('SIGTERM');
  t.match(await end, { code: 'SIGTERM' });
});

t.test('options after the command belong to the command', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const echo = ['printf', '%s,', '--json', '--sandbox', '-h', '--', '--version'];
  const stdout = '--json,--sandbox,-h,--,--version,';
  t.match(await executed(runtimeDir, echo), { code: 0, stdout });
  t.match(await executed(runtimeDir, ['--', ...echo]), { code: 0, stdout });
  const ls = await vkmemctl('/nowhere', 'ls', '--runtime-dir', runtimeDir, '--json');
  t.match(parsed(ls), { allocations: [] }, 'options of vkmemctl may stand anywhere before');
});

t.test('the command has its standard streams, the session and no other fd', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const { stdout } = await executed(runtimeDir, shell('echo $VKMEM_SESSION_FD; ls /proc/$$/fd'));
  const [session, ...fds] = stdout.trim().split('\n');
  t.strictSame(fds.sort(), ['0', '1', '2', session].sort());
  const bytes = 'printf "caf\\351" | xargs -0 "$@" -- printf "%s"';
  const words = [process.execPath, program, '--runtime-dir', runtimeDir, 'exec'];
  const odd = spawnSync('sh', ['-c', bytes, 'sh', ...words], { env: plainEnvironment() });
  t.strictSame(odd.stdout, Buffer.from('caf\xe9', 'latin1'), 'arguments need not be UTF-8');
});

t.test('the session ends with the command, even if another process has its fd', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  // The output of sleep is not inherited; the test would wait for its end.
  const { stdout, code } = await executed(runtimeDir, [
    ...SCRATCH,
    ...shell('sleep 60 >/dev/null 2>&1 & echo $!; exit 3'),
  ]);
  t.equal(code, 3);
  const sleeper = Number(stdout);
  t.ok(process.kill(sleeper, 0), 'a child of the command still runs, with the fd');
  await assertNoLeaks(t, runtimeDir);
  process.kill(sleeper, 'SIGKILL');
});

t.test('--allocate of an existing name fails, or claims it with if-exists=claim', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const { id } = parsed(await vkmemctl(runtimeDir, 'alloc', 'frames', '--size', '64K', '--json')).allocation;
  const run = (allocate: string) =>
    executed(runtimeDir, ['--allocate', allocate, ...shell('echo $VKMEM_ALLOCATIONS')]);
  t.match(await run('name=frames,size=64K'), {
    code: 1,
    stdout: '',
    stderr: /^vkmemctl: NAME_TAKEN: .* Add if-exists=claim to use it\./,
  });
  const claimed = await run('name=frames,size=60K,if-exists=claim');
  t.match(claimed, { code: 0, stderr: '' });
  t.strictSame(JSON.parse(claimed.stdout), { frames: id }, 'the existing allocation');
  t.match(await run('name=frames,size=65K,if-exists=claim'), {
    code: 1,
    stderr: /NAME_TAKEN: .* it has 65536 bytes\./,
  });
  t.match(await run('name=frames,size=4K,kind=mappable+opaque_fd,if-exists=claim'), {
    code: 1,
    stderr: /NAME_TAKEN: .* it is not for KIND_OPAQUE_FD\./,
  });
  t.match(await run('name=other,size=4K,if-exists=claim'), { code: 0 }, 'a missing name is allocated');
  t.match(await vkmemctl(runtimeDir, 'free', 'frames', 'other'), { code: 0 });
});

t.test('a failed exec leaves nothing allocated', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const both = [...FRAMES, '--allocate', 'name=huge,size=1000T'];
  t.match(await executed(runtimeDir, [...both, ...shell('echo ran')]), {
    code: 1,
    stdout: '',
    stderr: /^vkmemctl: SIZE_ABOVE_MAXIMUM: [^\n]+\n$/,
  });
  await assertNoLeaks(t, runtimeDir);
  t.match(await executed(runtimeDir, [...FRAMES, '--', 'no-such-program']), {
    code: 127,
    stderr: /^vkmemctl: INVALID_ARGUMENT: .*no-such-program: exec: ENOENT[^\n]+\n$/,
  });
  const refused = await executed(runtimeDir, [...FRAMES, '--json', '--', '/etc/passwd']);
  t.equal(refused.code, 126);
  t.match(JSON.parse(refused.stdout), { error: { code: 'INVALID_ARGUMENT', message: /EACCES/ } });
  await assertNoLeaks(t, runtimeDir);
  t.match(await executed(temporaryFolder(t), shell('echo ran')), {
    code: 69,
    stdout: '',
    stderr: /UNAVAILABLE/,
  });
});

t.test('invalid arguments are rejected before a connection is made', async (t) => {
  // Checked before connecting: there is no daemon here.
  const mistaken = await executed('/nowhere', [
    '--allocate',
    'name=x,size=1M,colour=red',
    ...shell('echo ran'),
  ]);
  t.match(mistaken, {
    code: 1,
    stdout: '',
    stderr: /^vkmemctl: INVALID_ARGUMENT: .*"colour=red" does not begin with one of the keys[^\n]+\n$/,
  });
  const twice = ['--allocate', 'name=x,size=1M', '--allocate', 'name=x,size=2M'];
  t.match(await executed('/nowhere', [...twice, ...shell('echo ran')]), {
    code: 1,
    stderr: /the name x occurs twice/,
  });
  t.match(await executed('/nowhere', ['--ro', '/usr', ...shell('echo ran')]), {
    code: 1,
    stderr: /require --sandbox/,
  });
  t.match(await executed('/nowhere', []), { code: 1, stderr: /missing required argument 'cmd'/ });
  t.match(await executed('/nowhere', ['--help']), { code: 0, stdout: /Examples:\n {2}\$ vkmemctl exec/ });
});

t.test('an exec that is killed at any moment leaves nothing allocated', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const ends: (number | string | null)[] = [];
  for (let round = 0; round < 12; round += 1) {
    const { child, ended } = execute(runtimeDir, [...SCRATCH, ...node(inheritingProgram, 'scratch', '1')]);
    await sleep(round * 80);
    child.kill('SIGKILL');
    ends.push((await ended).code);
  }
  t.strictSame(new Set(ends), new Set(['SIGKILL']));
  await assertNoLeaks(t, runtimeDir);
});
