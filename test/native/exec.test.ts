/** becomeProgram: the state of the new program, observed from inside. */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { plainEnvironment, plainNode, temporaryFolder } from '../support/daemon.js';

const PROGRAM = fileURLToPath(new URL('exec-program.js', import.meta.url));

interface Options {
  readonly environment?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs a program in place of one of ours. */
function become(program: readonly string[], { environment, env = {} }: Options = {}) {
  const command = plainNode([PROGRAM, JSON.stringify(environment ?? null), ...program]);
  const options = { env: { ...plainEnvironment(), ...env }, encoding: 'latin1' as const, timeout: 30_000 };
  const { status, signal, stdout, stderr } = spawnSync(...command, options);
  return { status, signal, stdout, stderr };
}

/** A script of sh; its output without the last newline. */
const shell = (script: string, options?: Options) => become(['sh', '-c', script], options).stdout.trimEnd();

t.test('it is the same process, and ends as the program does', async (t) => {
  const child = spawn(...plainNode([PROGRAM, 'null', 'sh', '-c', 'echo $$; read line; kill -INT $$']));
  const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
  const [pid] = (await child.stdout.take(1).toArray()) as Buffer[];
  t.equal(String(pid).trim(), String(child.pid));
  child.stdin.end('\n');
  t.strictSame(await ended, { code: null, signal: 'SIGINT' });
  t.match(become(['sh', '-c', 'exit 7']), { status: 7, stderr: '' });
});

t.test('its fds are the standard ones and the session', async (t) => {
  const [session, ...fds] = shell('echo $SESSION; ls /proc/$$/fd').split('\n');
  t.strictSame(fds.sort(), ['0', '1', '2', session].sort());
  t.match(shell('readlink /proc/$$/fd/$SESSION'), /^socket:/);
  const flags = Number.parseInt(shell("sed -n 's/^flags:\\s*//p' /proc/$$/fdinfo/$SESSION"), 8);
  t.equal(flags & 0o2004000, 0, 'neither close-on-exec nor non-blocking');
  const inherited = spawnSync('sh', [
    '-c',
    'exec 5</dev/null "$@"',
    'sh',
    process.execPath,
    PROGRAM,
    'null',
    'ls',
    '/proc/self/fd',
  ]);
  t.notMatch(String(inherited.stdout), /^5$/m, 'fds that this process inherited are not passed on');
});

t.test('a standard stream is blocking again if it was before', async (t) => {
  // Read before it is printed: a shell may redirect its own output for that.
  const show = "flags=$(sed -n 's/^flags:\\s*//p' /proc/$$/fdinfo/1); echo $flags >&2";
  const run = (...program: string[]) => {
    // The test runner's modules access the standard streams before anything else.
    const words = ['-c', '"$@" | cat', 'sh', ...plainNode(program).flat()];
    const { stderr } = spawnSync('sh', words, { env: plainEnvironment(), encoding: 'utf8' });
    return (Number.parseInt(stderr, 8) & 0o4000) !== 0;
  };
  const before =
    "process.stdout; require('child_process').spawnSync('sh', ['-c', process.argv[1].replace('$$', '$PPID')], { stdio: [0, 'ignore', 2] })";
  t.equal(run('-e', before, show), true, 'Node.js makes a pipe non-blocking');
  t.equal(run(PROGRAM, 'null', 'sh', '-c', show), false, 'the new program finds it blocking');
});

t.test('the signal masks of the new program are the defaults', async (t) => {
  const masks = shell('grep -E "^Sig(Blk|Ign|Pnd)" /proc/self/status').split('\n');
  t.equal(masks.length, 3);
  for (const mask of masks) t.match(mask, /^Sig\w+:\s0{16}$/);
  t.equal(become(['sh', '-c', 'kill -PIPE $$; echo alive']).signal, 'SIGPIPE');
});

t.test('arguments and environment arrive byte for byte', async (t) => {
  const script = 'printf %s "$0|$1|$2|$BYTES"';
  const odd = Buffer.from('caf\xe9', 'latin1');
  const inShell = (words: string) =>
    spawnSync('sh', ['-c', `BYTES=$(printf 'caf\\351') exec "$@" ${words}`, 'sh', process.execPath, PROGRAM])
      .stdout;
  const printed = inShell(`null sh -c '${script}' zero '' 'a b'`);
  t.strictSame(printed, Buffer.concat([Buffer.from('zero||a b|'), odd]), 'the whole environment');
  const chosen = inShell(`'["BYTES","ABSENT","A=1=2"]' /usr/bin/env`);
  t.strictSame(
    chosen,
    Buffer.concat([Buffer.from('BYTES='), odd, Buffer.from('\nA=1=2\n')]),
    'a given environment',
  );
});

t.test('a program is found by its path or in $PATH', async (t) => {
  const folder = temporaryFolder(t);
  const script = join(folder, 'tool');
  writeFileSync(script, 'echo "no first line, $1"\n');
  const env = { PATH: `${folder}:${process.env.PATH}` };
  t.match(become(['tool', 'x'], { env }), {
    status: 0,
    stdout: '{"code":"INVALID_ARGUMENT","errno":"EACCES","same":true}',
  });
  chmodSync(script, 0o755);
  t.equal(become(['tool', 'x'], { env }).stdout, 'no first line, x\n', 'a script for sh, in $PATH');
  for (const [file, errno] of [
    ['no-such-program', 'ENOENT'],
    [join(folder, 'x/y'), 'ENOENT'],
    ['', 'ENOENT'],
    ['/', 'EACCES'],
  ]) {
    const failed = JSON.parse(become([file ?? '']).stdout);
    t.strictSame(
      failed,
      { code: 'INVALID_ARGUMENT', errno, same: true },
      `${file}: this process continues unchanged`,
    );
  }
});
