/**
 * The exit statuses of starts that fail: 64 for the command line, 78 for the configuration, 1 where a later
 * start may succeed. With 64 and 78 the supervisor ends too. The table in docs/operations.md lists them.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  daemonProgram,
  driverUnderTest,
  plainEnvironment,
  plainNode,
  root,
  temporaryFolder,
} from '../support/daemon.js';

/** Two users reserve more than a heap has; `vkmemd --check-config` cannot detect it without the device. */
const OVERBOOKED = `[[rule]]
uid = 1001
reserved_bytes = "60%"

[[rule]]
uid = 1002
reserved_bytes = "4096GiB"
`;

/** Runs vkmemd until it ends, without a policy unless `args` name one. */
function run(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const [command, rest] = plainNode([daemonProgram, ...args]);
  return spawnSync(command, rest, {
    encoding: 'utf8',
    env: { ...plainEnvironment(), VK_DRIVER_FILES: driverUnderTest(), ...env },
    timeout: 60_000,
  });
}

t.test('a policy that reserves more than a heap has is a fault of the configuration', async (t) => {
  const config = join(temporaryFolder(t), 'policy.toml');
  writeFileSync(config, OVERBOOKED);
  const args = ['--config', config, '--runtime-dir', temporaryFolder(t)];
  const alone = run(args);
  t.equal(alone.status, 78, alone.stderr);
  const lines = alone.stderr.trimEnd().split('\n');
  t.equal(lines.length, 2, 'one line for each reserving rule');
  t.match(lines, [
    `vkmemd: POLICY_INVALID: ${config}:1: reserved_bytes: user 1001 reserves `,
    `vkmemd: POLICY_INVALID: ${config}:5: reserved_bytes: user 1002 reserves 4 TiB of heap 0, all users `,
  ]);
  const supervised = run(['--supervisor', '--supervisor-max', '10', ...args]);
  t.equal(supervised.status, 78, 'the supervisor does not start it again');
  t.equal(supervised.stdout.match(/the daemon was started/g)?.length, 1);
  writeFileSync(config, `overcommit = true\n${OVERBOOKED.replace('4096GiB', '50%')}`);
  t.match(run([...args, '--check-config']), { status: 0 });
});

t.test('invalid command lines exit with 64', async (t) => {
  const folder = temporaryFolder(t);
  const config = join(folder, 'policy.toml');
  writeFileSync(config, '');
  const at = ['--config', config, '--runtime-dir', folder];
  const cases: [string[], RegExp][] = [
    [['--no-such-option', ...at], /unknown option/],
    [['--log-level', 'loud', ...at], /--log-level/],
    [['--pressure-elevated', '0', ...at], /from 1 to 100/],
    [['--admin-listen', '0.0.0.0:9464', ...at], /must be a loopback address/],
    [
      ['--config', config, '--runtime-dir', join(folder, 'x'.repeat(100))],
      /--runtime-dir.* has \d+ bytes; a socket path has 1 to 107 bytes/,
    ],
  ];
  for (const [args, stderr] of cases) t.match(run(args), { status: 64, stderr }, args.join(' ').slice(0, 60));
  const supervised = run(['--supervisor', '--supervisor-max', '10', '--admin-listen', '0.0.0.0:9464', ...at]);
  t.match(supervised, { status: 64, stderr: /must be a loopback address/ });
  const long = [
    '--config',
    config,
    '--supervisor',
    '--runtime-dir',
    join(folder, 'x'.repeat(90 - folder.length)),
  ];
  t.match(run(long), { status: 64, stderr: /107 bytes/ }, "the supervisor's own socket has a longer path");
});

t.test('a device that is missing exits with 1, since it may come later', async (t) => {
  const folder = temporaryFolder(t);
  const config = join(folder, 'policy.toml');
  writeFileSync(config, '');
  t.match(run(['--device', 'nvidia', '--config', config, '--runtime-dir', folder]), {
    status: 1,
    stderr: /INVALID_ARGUMENT: device: no device matches 'nvidia'\. Devices: 0: /,
  });
});

t.test('an invalid configuration by the service manager exits with 78', async (t) => {
  const folder = temporaryFolder(t);
  const config = join(folder, 'policy.toml');
  writeFileSync(config, '');
  const at = ['--config', config, '--runtime-dir', folder];
  const cases: [NodeJS.ProcessEnv, RegExp][] = [
    [{ WATCHDOG_USEC: '5' }, /INVALID_ARGUMENT: WATCHDOG_USEC=5 is not a time/],
    [
      { NOTIFY_SOCKET: 'run/notify' },
      /INVALID_ARGUMENT: NOTIFY_SOCKET: run\/notify is neither an absolute path/,
    ],
    [
      { NOTIFY_SOCKET: `/${'x'.repeat(120)}` },
      /INVALID_ARGUMENT: .* 121 bytes; an address has 1 to 107 bytes/,
    ],
  ];
  for (const [env, stderr] of cases) t.match(run(at, env), { status: 78, stderr }, JSON.stringify(env));
  const supervised = run(['--supervisor', ...at], { NOTIFY_SOCKET: `/${'x'.repeat(120)}` });
  t.match(supervised, { status: 78, stderr: /an address has 1 to 107 bytes/ }, 'of a supervisor');
  t.match(run(['--config', join(folder, 'none.toml')]), { status: 78, stderr: /the file does not exist/ });
});

t.test('a failure that may pass exits with 1', async (t) => {
  const folder = temporaryFolder(t);
  const [config, file] = [join(folder, 'policy.toml'), join(folder, 'file')];
  for (const path of [config, file]) writeFileSync(path, '');
  const at = ['--config', config, '--runtime-dir'];
  t.match(run([...at, file]), { status: 1, stderr: /UNAVAILABLE: The runtime folder/ });
  t.match(run([...at, folder], { VK_DRIVER_FILES: '/nonexistent.json' }), {
    status: 1,
    stderr: /UNAVAILABLE/,
  });
});

t.test('the pages name the same statuses', async (t) => {
  const statuses = (path: string) => {
    const [, rows = ''] =
      /^\| status \|.*\n\|.*\n((?:\|.*\n)+)/m.exec(readFileSync(join(root, path), 'utf8')) ?? [];
    return rows.trimEnd().split('\n');
  };
  const rows = statuses('docs/operations.md');
  t.match(
    rows.map((row) => row.split(' | ')[0]),
    ['| `0`', '| `1`', '| `64`', '| `78`'],
  );
  t.strictSame(statuses('packaging/man/vkmemd.8.md'), rows);
});
