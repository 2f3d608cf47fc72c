/**
 * vkmemd --keeper: the daemon itself as the keeper's child.
 */
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { until } from '../native/open-fds.js';
import { ControlWire } from '../support/control-wire.js';
import {
  driverUnderTest,
  plainEnvironment,
  plainNode,
  root,
  startLineOf,
  temporaryFolder,
} from '../support/daemon.js';
import { alive } from './support.js';

const PROGRAM = join(root, 'daemon/bin/vkmemd.js');
const env = { ...plainEnvironment(), VK_DRIVER_FILES: driverUnderTest() };

function run(args: readonly string[], before = ''): SpawnSyncReturns<string> {
  const [command, rest] = plainNode([PROGRAM, ...args]);
  return spawnSync('bash', ['-c', `${before} exec "$@"`, 'bash', command, ...rest], {
    encoding: 'utf8',
    env,
    timeout: 60_000,
  });
}

/** The processes that a process started. */
const childrenOf = (pid: number) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);

/** By the daemon's own word. */
async function sessionsOf(runtimeDir: string): Promise<number> {
  const control = new ControlWire(runtimeDir);
  try {
    return (await control.budget()).counts.sessions;
  } finally {
    control.close();
  }
}

t.test('serves, serves again after a SIGKILL and an upgrade, and leaves nothing', async (t) => {
  const runtimeDir = temporaryFolder(t);
  const config = join(temporaryFolder(t), 'policy.toml');
  writeFileSync(config, '');
  const link = join(temporaryFolder(t), 'vkmemd');
  symlinkSync(PROGRAM, link);
  const args = ['--keeper', '--keeper-max=500', '--runtime-dir', runtimeDir, '--config', config];
  const keeper = spawn(...plainNode([link, ...args]), { env });
  const ended = new Promise<unknown>((resolve) => {
    keeper.once('exit', (code, signal) => resolve({ code, signal }));
  });
  t.teardown(async () => {
    keeper.kill('SIGKILL');
    await ended;
  });
  let log = '';
  const ready: string[] = [];
  for (const input of [keeper.stdout, keeper.stderr]) {
    createInterface({ input }).on('line', (line) => {
      log += `${line}\n`;
      const said = startLineOf(line);
      if (said) ready.push(said);
    });
  }
  const serving = async (count: number) => {
    await until(() => ready.length === count, 60_000);
    t.equal(await sessionsOf(runtimeDir), 0, 'it serves');
    const [child, ...others] = childrenOf(keeper.pid ?? 0);
    t.strictSame(others, []);
    return child ?? 0;
  };
  const first = await serving(1);
  const maps = readFileSync(`/proc/${keeper.pid}/maps`, 'utf8');
  t.notMatch(maps, /vulkan|lvp|vkmem_vulkan/, 'the keeper has no driver loaded');
  process.kill(first, 'SIGKILL');
  const second = await serving(2);
  t.not(second, first);

  // Another program at the path that it was started by.
  unlinkSync(link);
  const marked = join(temporaryFolder(t), 'new.mjs');
  writeFileSync(marked, `console.error('the new one'); await import('${PROGRAM}');\n`);
  symlinkSync(marked, link);
  keeper.kill('SIGUSR2');
  const third = await serving(3);
  t.match(log, /^the new one$/m);
  t.equal(log.match(/the daemon is ready/g)?.length, 3, 'the keeper heard it each time');
  keeper.kill('SIGTERM');
  t.strictSame(await ended, { code: 0, signal: null });
  t.notOk([first, second, third].some(alive), 'no process is left');
  t.strictSame(
    readdirSync(runtimeDir, { recursive: true }).sort(),
    ['keeper', 'keeper/lock', 'vkmemd.lock'],
    'nor a socket',
  );
});

t.test('what makes no keeper', async (t) => {
  const runtimeDir = join(temporaryFolder(t), 'never-made');
  const at = ['--keeper', '--runtime-dir', runtimeDir];
  t.match(run([...at, '--keeper-max', '0']), {
    status: 64,
    stderr: /--keeper-max: '0' is not a whole number/,
  });
  t.match(run([...at, '--keeper-watchdog']), { status: 64, stderr: /--keeper-watchdog: '' is not/ });
  t.match(run(at, 'ulimit -n 4000;'), {
    status: 64,
    stderr:
      'vkmemd: To keep 16384 fds takes RLIMIT_NOFILE of 16896, and it is 4000: raise it, or lower --keeper-max.\n',
  });
  t.match(run([...at, '--check-config']), { status: 64, stderr: /nothing that serves nobody/ });
  t.match(run(['--keeper-max', '5']), { status: 64, stderr: /--keeper and what belongs to it go together/ });
  t.match(run(['--keeper', '--help']), { status: 0, stdout: /--keeper-stop-timeout/ });
  t.notOk(existsSync(runtimeDir));
});

t.test('what makes no daemon ends the keeper', async (t) => {
  const runtimeDir = temporaryFolder(t);
  const at = ['--keeper', '--keeper-max', '10', '--runtime-dir', runtimeDir];
  t.match(run([...at, '--no-such-option']), { status: 64, stderr: /unknown option '--no-such-option'/ });
  t.match(run([...at, '--config', '/nowhere.toml']), {
    status: 78,
    stderr: /POLICY_INVALID: \/nowhere\.toml/,
  });
});
