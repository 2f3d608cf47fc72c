/** vkmemd --supervisor: the daemon itself as the supervisor's child. */
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { lockFile } from '@vkmemd/proto';
import t from 'tap';
import { childEnvironment } from 'vkmemd/dist/supervisor/environment.js';
import { DEFAULTS, replaceOldNames } from 'vkmemd/dist/supervisor/settings.js';
import { until } from '../native/open-fds.js';
import { setpriv } from '../support/as-user.js';
import { ControlWire } from '../support/control-wire.js';
import {
  driverUnderTest,
  plainEnvironment,
  plainNode,
  root,
  startLineOf,
  temporaryFolder,
} from '../support/daemon.js';
import { noOtherUser } from '../support/uid.js';
import { alive } from './support.js';

const PROGRAM = join(root, 'daemon/bin/vkmemd.js');
const VKMEMCTL = join(root, 'client/typescript/bin/vkmemctl.js');
const env = { ...plainEnvironment(), VK_DRIVER_FILES: driverUnderTest() };

function run(args: readonly string[], before = ''): SpawnSyncReturns<string> {
  const [command, rest] = plainNode([PROGRAM, ...args]);
  return spawnSync('bash', ['-c', `${before} exec "$@"`, 'bash', command, ...rest], {
    encoding: 'utf8',
    env,
    timeout: 60_000,
  });
}

/** The child processes of a process. */
const childrenOf = (pid: number) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);

/** As the daemon reports. */
async function sessionsOf(runtimeDir: string): Promise<number> {
  const control = new ControlWire(runtimeDir);
  try {
    return (await control.budget()).counts.sessions;
  } finally {
    control.close();
  }
}

t.test('the daemon serves, also after SIGKILL and an upgrade, and leaves nothing', async (t) => {
  const runtimeDir = temporaryFolder(t);
  const config = join(temporaryFolder(t), 'policy.toml');
  writeFileSync(config, '');
  const link = join(temporaryFolder(t), 'vkmemd');
  symlinkSync(PROGRAM, link);
  const args = ['--supervisor', '--supervisor-max=500', '--runtime-dir', runtimeDir, '--config', config];
  const supervisor = spawn(...plainNode([link, ...args]), { env });
  const ended = new Promise<unknown>((resolve) => {
    supervisor.once('exit', (code, signal) => resolve({ code, signal }));
  });
  t.teardown(async () => {
    supervisor.kill('SIGKILL');
    await ended;
  });
  let log = '';
  const ready: string[] = [];
  for (const input of [supervisor.stdout, supervisor.stderr]) {
    createInterface({ input }).on('line', (line) => {
      log += `${line}\n`;
      const said = startLineOf(line);
      if (said) ready.push(said);
    });
  }
  const serving = async (count: number) => {
    await until(() => ready.length === count, 60_000);
    t.equal(await sessionsOf(runtimeDir), 0, 'it serves');
    const [child, ...others] = childrenOf(supervisor.pid ?? 0);
    t.strictSame(others, []);
    return child ?? 0;
  };
  const first = await serving(1);
  const maps = readFileSync(`/proc/${supervisor.pid}/maps`, 'utf8');
  t.notMatch(maps, /vulkan|lvp|vkmem_vulkan/, 'the supervisor has no driver loaded');
  const control = new ControlWire(runtimeDir);
  const kinds = ['KIND_MAPPABLE'] as const;
  const { allocation } = await control.call('Allocate', { name: 'kept', sizeBytes: 4096n, kinds });
  control.close();
  process.kill(first, 'SIGKILL');
  const second = await serving(2);
  t.not(second, first);
  const again = new ControlWire(runtimeDir);
  const { allocations } = await again.call('ListAllocations', {});
  again.close();
  t.strictSame(
    allocations.map(({ id }) => id),
    [allocation?.id],
    'the memory outlived it',
  );

  // Another program at the path of the started one.
  unlinkSync(link);
  const marked = join(temporaryFolder(t), 'new.mjs');
  writeFileSync(marked, `console.error('the new one'); await import('${PROGRAM}');\n`);
  symlinkSync(marked, link);
  supervisor.kill('SIGUSR2');
  const third = await serving(3);
  t.match(log, /^the new one$/m);
  t.equal(log.match(/the daemon is ready/g)?.length, 3, 'the supervisor was notified each time');
  supervisor.kill('SIGTERM');
  t.strictSame(await ended, { code: 0, signal: null });
  t.notOk([first, second, third].some(alive), 'no process is left');
  t.strictSame(
    readdirSync(runtimeDir, { recursive: true }).sort(),
    ['supervisor', 'supervisor/lock', 'vkmemd.lock'],
    'and no socket',
  );
});

t.test(
  'with the group of docs/supervisor.md its members are tenants, also while it restarts',
  { skip: noOtherUser ?? false },
  async (t) => {
    const [daemonUid, group, tenant] = [64_210, 64_211, 64_212];
    const page = readFileSync(join(root, 'docs/supervisor.md'), 'utf8');
    t.match(
      page,
      /setpriv --reuid vkmemd --regid vkmem --groups \S+ \\\n +vkmemd --supervisor .*--runtime-dir/,
    );
    const folder = temporaryFolder(t);
    const runtimeDir = join(folder, 'run');
    const config = join(folder, 'policy.toml');
    mkdirSync(runtimeDir);
    chownSync(runtimeDir, daemonUid, group);
    writeFileSync(config, `[[rule]]\nuid = ${tenant}\nconnect = true\n`);
    for (const path of [folder, runtimeDir]) chmodSync(path, 0o755);
    const args = ['--supervisor', '--supervisor-max', '100', '--runtime-dir', runtimeDir, '--config', config];
    const [node, nodeArgs] = plainNode([PROGRAM, ...args]);
    const command = [...setpriv({ uid: daemonUid, gid: group, groups: [] }), node, ...nodeArgs];
    const supervisor = spawn(command[0] ?? '', command.slice(1), {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = new Promise((resolve) => supervisor.once('exit', resolve));
    t.teardown(async () => {
      supervisor.kill('SIGKILL');
      await ended;
    });
    const ready: string[] = [];
    createInterface({ input: supervisor.stdout }).on('line', (line) => {
      if (startLineOf(line)) ready.push(line);
    });
    await until(() => ready.length === 1, 60_000);
    t.equal(statSync(join(runtimeDir, 'handoff.sock')).gid, group);
    const list = (...groups: number[]) => {
      const [file, rest] = plainNode([
        VKMEMCTL,
        '--runtime-dir',
        runtimeDir,
        '--expect-uid',
        `${daemonUid}`,
        'ls',
      ]);
      const [first = '', ...more] = [...setpriv({ uid: tenant, gid: tenant, groups }), file, ...rest];
      return spawnSync(first, more, { env, encoding: 'utf8' });
    };
    t.match(list(group), { status: 0, stderr: '' }, 'a member that a rule names');
    t.match(
      list(),
      { status: 1, stderr: /NOT_PERMITTED: .*EACCES.* add you to the socket's group with the gid 64211\./ },
      'a rule without the group does not suffice',
    );
    const [child = 0] = childrenOf(supervisor.pid ?? 0);
    process.kill(supervisor.pid ?? 0, 'SIGSTOP');
    process.kill(child, 'SIGKILL');
    await until(() => !alive(child) || readFileSync(`/proc/${child}/stat`, 'utf8').includes(') Z '), 10_000);
    t.match(list(group), { status: 69, stderr: /UNAVAILABLE/ }, 'without a daemon connections are refused');
    process.kill(supervisor.pid ?? 0, 'SIGCONT');
    await until(() => ready.length === 2, 60_000);
    t.match(list(group), { status: 0 });
    t.equal(await sessionsOf(runtimeDir), 0, 'nothing is left');
    supervisor.kill('SIGTERM');
    t.equal(await ended, 0);
  },
);

t.test('invalid options do not start a supervisor', async (t) => {
  const runtimeDir = join(temporaryFolder(t), 'never-made');
  const at = ['--supervisor', '--runtime-dir', runtimeDir];
  t.match(run([...at, '--supervisor-max', '0']), {
    status: 64,
    stderr: /--supervisor-max: '0' is not a whole number/,
  });
  t.match(run([...at, '--supervisor-watchdog']), { status: 64, stderr: /--supervisor-watchdog: '' is not/ });
  t.match(run(at, 'ulimit -n 4000;'), {
    status: 64,
    stderr:
      'vkmemd: Storing 16384 fds requires RLIMIT_NOFILE 16896, but it is 4000: raise it, or lower --supervisor-max.\n',
  });
  t.match(run([...at, '--check-config']), {
    status: 64,
    stderr: /cannot be used with an option that prints and exits/,
  });
  t.match(run(['--supervisor-max', '5']), {
    status: 64,
    stderr: /options --supervisor-\* need --supervisor/,
  });
  t.match(run(['--supervisor', '--help']), { status: 0, stdout: /--supervisor-stop-timeout/ });
  t.notOk(existsSync(runtimeDir));
});

t.test('a daemon that cannot start ends the supervisor', async (t) => {
  const runtimeDir = temporaryFolder(t);
  const at = ['--supervisor', '--supervisor-max', '10', '--runtime-dir', runtimeDir];
  t.match(run([...at, '--no-such-option']), { status: 64, stderr: /unknown option '--no-such-option'/ });
  t.match(run([...at, '--config', '/nowhere.toml']), {
    status: 78,
    stderr: /POLICY_INVALID: \/nowhere\.toml/,
  });
});

t.test('the former option names are accepted with one warning', async (t) => {
  const runtimeDir = temporaryFolder(t);
  const args = ['--keeper', '--keeper-max', '10', '--keeper-watchdog=30', '--runtime-dir', runtimeDir];
  const ended = run([...args, '--config', '/nowhere.toml']);
  t.match(ended, { status: 78, stdout: /the supervisor exits/ }, 'the supervisor starts');
  const [warning, ...rest] = ended.stderr.split('\n');
  t.equal(
    warning,
    'vkmemd: --keeper is now --supervisor, --keeper-max is now --supervisor-max, --keeper-watchdog is now ' +
      '--supervisor-watchdog. The old names are accepted for this release only.',
  );
  t.notMatch(rest.join('\n'), /is now/, 'once');
  t.match(run([...args, '--keeper-max', '0']), {
    status: 64,
    stderr: /--supervisor-max: '0' is not a whole/,
  });
  t.match(run(['--keeper-max', '5']), { status: 64, stderr: /options --supervisor-\* need --supervisor/ });
  const help = run(['--keeper', '--help']);
  t.match(help, { status: 0, stdout: /--supervisor-stop-timeout/ });
  t.notMatch(help.stdout, /keeper/, '--help shows only the new names');
  t.strictSame(replaceOldNames(['--keeper-maximum', '--keepers', '--supervisor', 'keeper']), {
    argv: ['--keeper-maximum', '--keepers', '--supervisor', 'keeper'],
    warning: undefined,
  });
});

t.test('only one supervisor of this and the previous version may use a runtime folder', async (t) => {
  for (const name of ['supervisor', 'keeper']) {
    const runtimeDir = temporaryFolder(t);
    mkdirSync(join(runtimeDir, name));
    const lock = lockFile(join(runtimeDir, name, 'lock'));
    const args = ['--supervisor', '--supervisor-max', '10', '--runtime-dir', runtimeDir];
    t.match(run([...args, '--config', '/nowhere.toml']), {
      status: 64,
      stderr: `Another supervisor uses ${join(runtimeDir, name)}: choose another --runtime-dir.`,
    });
    lock?.close();
    t.equal(run([...args, '--config', '/nowhere.toml']).status, 78, 'after its end another may start');
  }
});

/** Starts as a child, and prints the variables that it then has. */
const BEGINNER = `
import { beginAsChild } from 'vkmemd/dist/supervisor/environment.js';
beginAsChild(process.env);
const { VKMEMD_SUPERVISOR, VKMEMD_KEEPER, LISTEN_PID, WATCHDOG_PID } = process.env;
console.log(JSON.stringify([VKMEMD_SUPERVISOR, VKMEMD_KEEPER, LISTEN_PID, WATCHDOG_PID].map((x) => x ?? '')));
`;

t.test('children of a supervisor of the previous version, and children of that version', async (t) => {
  const begin = (variables: NodeJS.ProcessEnv) =>
    spawnSync(...plainNode(['--input-type=module', '--eval', BEGINNER]), {
      encoding: 'utf8',
      cwd: root,
      env: { ...env, LISTEN_FDS: '1', WATCHDOG_USEC: '5000000', ...variables },
    });
  const pid = String(process.pid);
  for (const variables of [{ VKMEMD_KEEPER: pid }, { VKMEMD_SUPERVISOR: pid, VKMEMD_KEEPER: pid }]) {
    const child = begin(variables);
    const own = String(child.pid);
    t.strictSame(JSON.parse(child.stdout || '0'), ['', '', own, own], JSON.stringify(variables));
    const orphan = begin({ ...variables, [Object.keys(variables)[0] ?? '']: '1' });
    t.equal(orphan.signal, 'SIGTERM', 'a supervisor that is not the parent has ended');
  }
  const started = childEnvironment('/notify', [], DEFAULTS);
  t.match(started, { VKMEMD_SUPERVISOR: pid, VKMEMD_KEEPER: pid }, 'daemons of both versions recognise it');
  const program = spawnSync(...plainNode([PROGRAM, '--version']), {
    env: { ...env, VKMEMD_KEEPER: '1' },
  });
  t.equal(program.signal, 'SIGTERM', 'vkmemd also reads the former name');
});
