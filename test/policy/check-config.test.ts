/**
 * vkmemd --check-config: its output, its exit code, and that it uses neither device nor runtime folder. A
 * daemon with an invalid policy does not start.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { daemonProgram, plainEnvironment, temporaryFolder } from '../support/daemon.js';
import { folderOf, MAIN } from './support.js';

/** Runs vkmemd until it exits, without any driver. */
function vkmemd(...args: readonly string[]) {
  const env = { ...plainEnvironment(), VK_DRIVER_FILES: '/nonexistent.json' };
  return spawnSync(process.execPath, [daemonProgram, ...args], { encoding: 'utf8', env, timeout: 30_000 });
}

const GOOD = `overcommit = true
limits.sessions = 100
[pressure]
elevated = 70
[[rule]]
uid = ["root", 5]
unit = "worker@*.service"
connect = true
reserved_bytes = "10%"
`;
const BAD = '[[rule]]\nuid = -1\nconnect = 1\n';

t.test('a valid policy is printed', async (t) => {
  const root = folderOf(t, { [MAIN]: GOOD, '/etc/vkmemd/conf.d/a.toml': '[[rule]]\nmax_tickets = 4\n' });
  const runtimeDir = join(temporaryFolder(t), 'never-made');
  const args = ['--check-config', '--config-root', root, '--runtime-dir', runtimeDir, '--allow-import', '9'];
  const { status, stdout, stderr } = vkmemd(...args, '--pressure-critical', '90');
  t.equal(status, 0);
  t.equal(stderr, '');
  const main = join(root, MAIN);
  t.strictSame(
    stdout.split('\n').filter((line) => !/this kernel/.test(line)),
    [
      'Files, in the order in which they are read:',
      `  ${main}`,
      `  ${join(root, '/etc/vkmemd/conf.d/a.toml')}`,
      'Rules, applied after the built-in ones:',
      `  ${main}:5: uid 0 or 5 and unit worker@*.service: connect = true, reserved_bytes = "10%"`,
      `  ${join(root, '/etc/vkmemd/conf.d/a.toml')}:1: all peers: max_tickets = 4`,
      '  --allow-import: uid 9: import = true',
      'Limits: sessions = 100.',
      'Pressure: ELEVATED from 70 % of a heap, CRITICAL from 90 %.',
      'Reservations may add up to more than a heap.',
      'Reserved bytes are not compared with the sizes of the heaps: that requires the device.',
      'The policy is valid.',
      '',
    ],
  );
  t.notOk(existsSync(runtimeDir), 'no runtime folder was created');
  const object = JSON.parse(vkmemd(...args, '--json').stdout);
  t.match(object, {
    well: true,
    files: [main, join(root, '/etc/vkmemd/conf.d/a.toml')],
    rules: [
      {
        where: `${main}:5`,
        matches: { uid: [0, 5], unit: ['worker@*.service'] },
        gives: { connect: true, reserved_bytes: '10%' },
      },
      { matches: {}, gives: { max_tickets: 4 } },
      { where: '--allow-import', matches: { uid: [9] }, gives: { import: true } },
    ],
    limits: { sessions: 100, messages_in_flight: 32 },
    pressure: { elevated: 70, critical: 95 },
    overcommit: true,
  });
  t.equal(object.notes.length, 1);
});

t.test('the values of every kind of right are printed', async (t) => {
  const root = folderOf(t, {
    [MAIN]: `[[rule]]
uid = 33
connect = false
kinds = []
claim_from = [5, 6]
max_bytes = { 0 = "50%", 1 = "64M" }
max_sessions = "unlimited"
[[rule]]
connect = true
max_bytes = "unlimited"
lifetimes = "NAMED"
`,
  });
  const { stdout } = vkmemd('--check-config', '--config-root', root);
  const main = join(root, MAIN);
  const values =
    'connect = false, kinds = [], claim_from = [5, 6], ' +
    'max_bytes = { 0 = "50%", 1 = 67108864, default = "share" }, max_sessions = "unlimited"';
  t.ok(stdout.includes(`  ${main}:1: uid 33: ${values}\n`), stdout);
  t.ok(stdout.includes('connect = true, lifetimes = ["NAMED"], max_bytes = "unlimited"\n'));
});

t.test('without files the built-in rules are printed', async (t) => {
  const { status, stdout } = vkmemd('--check-config', '--config-root', temporaryFolder(t));
  t.equal(status, 0);
  t.match(
    stdout,
    /^No files: the defaults are in force\.\nOnly the built-in rules\.\nLimits: the defaults\./,
  );
});

t.test('warnings do not make a policy invalid', async (t) => {
  const root = folderOf(t, { [MAIN]: '[[rule]]\nuid = []\nconnect = true\n' });
  const { status, stdout } = vkmemd('--check-config', '--config-root', root);
  t.equal(status, 0);
  t.match(stdout, `${join(root, MAIN)}:1:3: warning: the rule can never match: uid is empty.\n`);
  const { warnings } = JSON.parse(vkmemd('--check-config', '--config-root', root, '--json').stdout);
  t.strictSame(warnings, [
    { file: join(root, MAIN), line: 1, column: 3, message: 'the rule can never match: uid is empty.' },
  ]);
});

t.test('the errors of an invalid policy are printed', async (t) => {
  const root = folderOf(t, { [MAIN]: BAD });
  const file = join(root, MAIN);
  const { status, stdout } = vkmemd('--check-config', '--config-root', root);
  t.equal(status, 1);
  const lines = stdout.split('\n');
  t.equal(lines.length, 4);
  t.match(lines[0], `${file}:2:7: uid: -1 is too small; allowed: `);
  t.match(lines[1], `${file}:3:11: connect: 1 is an integer; allowed: true or false.`);
  t.equal(lines[2], '2 faults: the policy is invalid.');
  const json = vkmemd('--check-config', '--config-root', root, '--json');
  t.equal(json.status, 1);
  t.match(JSON.parse(json.stdout), {
    well: false,
    faults: [
      { file, line: 2, column: 7, message: /^uid: -1 is too small/ },
      { file, line: 3, column: 11, message: /^connect: 1/ },
    ],
  });
});

t.test('the reader may close the pipe at any time', async (t) => {
  const root = folderOf(t, { [MAIN]: '[[rule]]\n'.repeat(1500) });
  const script = '"$@" | head -n 1; echo "$PIPESTATUS"';
  const command = [process.execPath, daemonProgram, '--check-config', '--config-root', root];
  const { stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', ...command], {
    encoding: 'utf8',
    env: plainEnvironment(),
    timeout: 30_000,
  });
  t.strictSame([stdout, stderr], ['Files, in the order in which they are read:\n0\n', '']);
});

t.test('a daemon does not start with an invalid policy', async (t) => {
  const root = folderOf(t, { [MAIN]: BAD });
  const runtimeDir = join(temporaryFolder(t), 'never-made');
  for (const source of [
    ['--config-root', root],
    ['--config', join(root, MAIN)],
  ]) {
    const { status, stderr } = vkmemd('--runtime-dir', runtimeDir, ...source);
    t.equal(status, 78);
    t.match(
      stderr,
      /^vkmemd: POLICY_INVALID: .*vkmemd\.toml:2:7: uid: .*\nvkmemd: POLICY_INVALID: .*:3:11: connect: .*\n$/,
    );
  }
  const { status, stderr } = vkmemd('--runtime-dir', runtimeDir, '--config', '/nowhere.toml');
  t.equal(status, 78);
  const missing = 'the file does not exist (ENOENT); create it, or name another with --config.';
  t.equal(stderr, `vkmemd: POLICY_INVALID: /nowhere.toml: ${missing}\n`);
  t.notOk(existsSync(runtimeDir), 'it created nothing');
});

t.test('conflicting options are rejected', async (t) => {
  t.match(vkmemd('--json'), { status: 64, stderr: /--json needs --check-config/ });
  t.match(vkmemd('--config', 'a', '--config-root', 'b'), { status: 64, stderr: /cannot be used with/ });
  const root = folderOf(t, {});
  const crossed = vkmemd('--check-config', '--config-root', root, '--pressure-elevated', '97');
  t.match(crossed, { status: 1, stdout: /^--pressure-elevated: elevated \(97\) is above critical \(95\)/ });
  t.match(vkmemd('--help').stdout, /\/etc\/vkmemd\/conf\.d\/\*\.toml[\s\S]*Examples:\n/);
});
