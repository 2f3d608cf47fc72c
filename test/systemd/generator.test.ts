/**
 * The generator: the drop-ins that it creates for each version of systemd. The limits by the policy are
 * tested with the installed package (test/package).
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { root, temporaryFolder } from '../support/daemon.js';

/** Runs it under a fake systemd of this version. @returns the drop-ins, by their paths. */
function generated(t: Test, version: string): Record<string, string> {
  const folder = temporaryFolder(t);
  const [programs, units] = [join(folder, 'bin'), join(folder, 'normal')];
  for (const made of [programs, units]) mkdirSync(made);
  writeFileSync(join(programs, 'systemctl'), `#!/bin/sh\necho '${version}'\n`, { mode: 0o755 });
  const { status, stderr } = spawnSync(join(root, 'systemd/vkmemd-generator'), [units, units, units], {
    env: { PATH: `${programs}:/usr/bin:/bin` },
    encoding: 'utf8',
  });
  t.strictSame([status, stderr], [0, ''], version);
  const files = readdirSync(units, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.conf'),
  );
  return Object.fromEntries(files.map((path) => [path, readFileSync(join(units, path), 'utf8')]));
}

t.test('from systemd 254 on, restarts after failures have growing delays', async (t) => {
  const backoff = '[Service]\nRestartSteps=6\nRestartMaxDelaySec=30s\n';
  const both = {
    'vkmemd.service.d/50-backoff.conf': backoff,
    'vkmemd@.service.d/50-backoff.conf': backoff,
  };
  t.strictSame(generated(t, 'systemd 254 (254.1-2)'), both);
  t.strictSame(generated(t, 'systemd 257 (257.8-1~deb13u2)'), both);
  t.strictSame(generated(t, 'systemd 252 (252.39-1~deb12u1)'), {}, 'older versions do not support it');
  t.strictSame(generated(t, 'something else'), {});
});

/** Runs vkmemd-start-devices with this list. @returns what it started. */
function startedFor(t: Test, ...lines: readonly string[]): { status: number | null; units: string[] } {
  const folder = temporaryFolder(t);
  const [list, log] = [join(folder, 'list'), join(folder, 'log')];
  writeFileSync(list, `${lines.join('\n')}\n`);
  writeFileSync(log, '');
  writeFileSync(join(folder, 'systemctl'), `#!/bin/sh\necho "$*" >> ${log}\n`, { mode: 0o755 });
  const { status } = spawnSync(join(root, 'systemd/vkmemd-start-devices'), [list], {
    env: { PATH: `${folder}:/usr/bin:/bin` },
  });
  return { status, units: readFileSync(log, 'utf8').split('\n').filter(Boolean) };
}

t.test('vkmemd-start-devices takes UUIDs of GPUs alone', async (t) => {
  const uuid = (digit: string) => `${digit.repeat(8)}-0000-0000-0000-000000000000`;
  const line = (index: number, id: string, type: string, name = 'NVIDIA H200') =>
    `${index}      ${id}  0000:41:00.0  ${type}  ${name}, driver 1 discrete `;
  const heading = 'INDEX  UUID                                  PCI ADDRESS   TYPE  NAME  DRIVER';
  const start = (digit: string) => `start --no-block vkmemd@${uuid(digit)}.service`;
  const gpus = [line(0, uuid('a'), 'discrete'), line(1, uuid('b'), 'integrated'), line(2, uuid('c'), 'cpu')];
  t.strictSame(startedFor(t, heading, ...gpus), { status: 0, units: [start('a'), start('b')] });
  const twice = [
    line(10, uuid('d'), 'virtual'),
    line(2, uuid('b'), 'discrete'),
    line(2, uuid('a'), 'discrete'),
  ];
  t.strictSame(
    startedFor(t, heading, ...twice),
    { status: 0, units: [start('b'), start('d')] },
    'one an index',
  );
  const hostile = [line(0, '$(reboot)', 'discrete'), line(1, `${uuid('a')}.service sshd`, 'discrete'), 'x'];
  t.strictSame(startedFor(t, heading, ...hostile), { status: 1, units: [] });
  t.strictSame(startedFor(t, heading, line(0, uuid('c'), 'cpu')), { status: 1, units: [] }, 'no GPU');
});
