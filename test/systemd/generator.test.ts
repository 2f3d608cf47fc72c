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
