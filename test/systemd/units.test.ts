/**
 * The units as systemd parses them: every line is valid, and the exposure of each service is low
 * (systemd-analyze security, without a running systemd). The template equals the service, except for the
 * device's name.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { root, temporaryFolder } from '../support/daemon.js';
import { noOtherUser } from '../support/uid.js';

const folder = join(root, 'systemd');
const units = readdirSync(folder).filter((name) => /\.(service|socket)$/.test(name));
const services = units.filter((name) => name.endsWith('.service'));
/** In tenths, as --threshold= expects: 1.0. */
const MAX_EXPOSED = '10';

const analyze = (...args: string[]) => spawnSync('systemd-analyze', args, { encoding: 'utf8' });

/** The reason why systemd-analyze cannot run; false where it can. */
function unavailable(): string | false {
  const { error, status, stderr } = analyze('--version');
  return error || status !== 0 ? `no systemd-analyze: ${error?.message ?? stderr}` : false;
}

const skip = unavailable();

const textOf = (unit: string): string => readFileSync(join(folder, unit), 'utf8');

/** The lines without comments and blank lines. */
const linesOf = (text: string): string[] =>
  text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

t.test('systemd accepts every line', { skip }, async (t) => {
  const paths = units.map((unit) => join(folder, unit));
  const { stderr } = analyze('verify', '--man=no', ...paths);
  const complaints = stderr
    .split('\n')
    .filter((line) => line && !/\/usr\/bin\/vkmem(d|ctl) is not executable/.test(line));
  t.strictSame(complaints, []);
});

t.test('the exposure of each service is at most 1.0', { skip }, async (t) => {
  t.ok(services.length >= 3);
  for (const service of services) {
    const { status, stdout, stderr } = analyze(
      'security',
      '--offline=true',
      `--threshold=${MAX_EXPOSED}`,
      '--no-pager',
      join(folder, service),
    );
    const overall = /Overall exposure level.*: (\d+\.\d)/.exec(stdout)?.[1];
    t.equal(status, 0, `${service}: ${overall ?? stderr}`);
    t.ok(Number(overall) <= 1, `${service} is exposed by ${overall}, of 1.0 at most`);
  }
});

t.test('every sandboxing directive that is not set is explained', { skip }, async (t) => {
  for (const service of services) {
    const { stdout } = analyze('security', '--offline=true', '--no-pager', join(folder, service));
    const missed = [...stdout.matchAll(/^✗ (\w+)=/gm)].map(([, name = '']) => name);
    const text = textOf(service);
    // These are set to their narrowest possible value.
    const set = missed.filter((name) => linesOf(text).some((line) => line.startsWith(`${name}=`)));
    const explained = [...text.matchAll(/^#.*$/gm)].join('\n');
    const unexplained = missed.filter((name) => !set.includes(name) && !explained.includes(`${name}=`));
    t.strictSame(unexplained, [], service);
  }
});

t.test('the template equals the service, for one device', async (t) => {
  const plain = linesOf(textOf('vkmemd.service'));
  const template = linesOf(textOf('vkmemd@.service')).map((line) =>
    line
      .replaceAll('@%i.socket', '.socket')
      .replace(' --device %i', '')
      .replaceAll('vkmemd/devices/%i/', 'vkmemd/')
      .replace(' of device %i', ''),
  );
  t.strictSame(template, plain);
});

t.test('each socket has the name that the daemon expects', async (t) => {
  const kinds = { handoff: 'ListenSequentialPacket', control: 'ListenStream', admin: 'ListenStream' };
  for (const [plane, listen] of Object.entries(kinds)) {
    for (const [at, instance, path] of [
      ['', '', '/run/vkmemd'],
      ['@', '@%i', '/run/vkmemd/devices/%i'],
    ]) {
      const lines = linesOf(textOf(`vkmemd-${plane}${at}.socket`));
      for (const line of [
        `${listen}=${path}/${plane}.sock`,
        `FileDescriptorName=${plane}`,
        `Service=vkmemd${instance}.service`,
        'SocketMode=0660',
        'SocketGroup=vkmem',
        'RemoveOnStop=yes',
      ]) {
        t.ok(lines.includes(line), `vkmemd-${plane}${at}.socket: ${line}`);
      }
    }
  }
});

t.test(
  'users, groups and the folder are created on an empty root',
  { skip: skip || noOtherUser || false },
  async (t) => {
    const empty = temporaryFolder(t);
    mkdirSync(join(empty, 'etc'));
    const run = (command: string, ...args: string[]) => {
      const { status, stderr } = spawnSync(command, [`--root=${empty}`, ...args], { encoding: 'utf8' });
      t.equal(status, 0, `${command}: ${stderr}`);
    };
    run('systemd-sysusers', join(folder, 'sysusers.d/vkmemd.conf'));
    run('systemd-tmpfiles', '--create', join(folder, 'tmpfiles.d/vkmemd.conf'));
    const lines = (file: string) => readFileSync(join(empty, 'etc', file), 'utf8').split('\n');
    const groups = lines('group').map((line) => line.split(':')[0]);
    t.strictSame(
      ['vkmem', 'vkmemd', 'video', 'render'].filter((group) => !groups.includes(group)),
      [],
      'every group that the units name',
    );
    const daemon = lines('passwd').find((line) => line.startsWith('vkmemd:'));
    t.match(daemon, /:\/usr\/sbin\/nologin$/, 'a user without login');
    t.match(
      lines('group').find((line) => line.startsWith('vkmem:')),
      /:$/,
      'the group has no members',
    );
    t.match(statSync(join(empty, 'run/vkmemd')), { uid: 0, gid: 0, mode: 0o40755 });
  },
);

t.test('a reload checks the policy first', async (t) => {
  for (const unit of ['vkmemd.service', 'vkmemd@.service']) {
    const reload = linesOf(textOf(unit)).filter((line) => line.startsWith('ExecReload='));
    t.match(reload, ['ExecReload=/usr/bin/vkmemd --check-config', /kill -HUP/], unit);
  }
});
