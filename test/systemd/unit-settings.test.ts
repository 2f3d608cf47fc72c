/**
 * vkmemd --unit-settings: what the policy asks of a unit, which is never less than the units have themselves, and is enough
 * for the sessions that the policy allows.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { FdBudget } from 'vkmemd/dist/limits/fd-budget.js';
import { DEFAULT_LIMITS } from 'vkmemd/dist/policy/limits.js';
import { SHIPPED, unitSettings } from 'vkmemd/dist/systemd/unit-settings.js';
import { folderOf, MAIN } from '../policy/support.js';
import { daemonProgram, plainEnvironment, root } from '../support/daemon.js';

const textOf = (unit: string): string => readFileSync(join(root, 'systemd', unit), 'utf8');

function settingsOf(t: Test, policy: string) {
  const args = [daemonProgram, '--unit-settings', '--config-root', folderOf(t, { [MAIN]: policy })];
  const env = { ...plainEnvironment(), VK_DRIVER_FILES: '/nonexistent.json' };
  return spawnSync(process.execPath, args, { encoding: 'utf8', env, timeout: 30_000 });
}

t.test('what it prints', async (t) => {
  t.match(settingsOf(t, ''), {
    status: 0,
    stderr: '',
    stdout:
      /\n\[Service\]\nFileDescriptorStoreMax=8192\nEnvironment=VKMEMD_FDSTORE_MAX=8192\nLimitNOFILE=65536\n$/,
  });
  t.match(settingsOf(t, '[limits]\nstored_fds = 16_384\nsessions = 30_000\n'), {
    status: 0,
    stdout: /FileDescriptorStoreMax=16384\nEnvironment=VKMEMD_FDSTORE_MAX=16384\nLimitNOFILE=(?!65536)\d+\n$/,
  });
  t.match(settingsOf(t, 'limits.stored_fds = 16_385\n'), {
    status: 78,
    stdout: '',
    stderr: /POLICY_INVALID: .*vkmemd\.toml:1:\d+: .*16384/,
  });
});

t.test('never less than the units have', async (t) => {
  for (const unit of ['vkmemd.service', 'vkmemd@.service']) {
    const value = (name: string) => new RegExp(`^${name}=(\\d+)$`, 'm').exec(textOf(unit))?.[1];
    t.equal(value('FileDescriptorStoreMax'), String(SHIPPED.storedFds), unit);
    t.equal(value('LimitNOFILE'), String(SHIPPED.openFiles), unit);
  }
  t.strictSame(unitSettings({ ...DEFAULT_LIMITS, sessions: 1, storedFds: 1 }), SHIPPED);
  t.equal(DEFAULT_LIMITS.storedFds, SHIPPED.storedFds);
});

t.test('enough for the sessions that there may be', async (t) => {
  for (const sessions of [100, 10_000, 50_000, 200_000]) {
    const limits = { ...DEFAULT_LIMITS, sessions, storedFds: 16_384 };
    const { openFiles } = unitSettings(limits);
    const budget = new FdBudget({ most: openFiles, open: 60 }, limits.reservedFds);
    t.ok(budget.mostSessions >= sessions, `${openFiles} files, ${budget.mostSessions} sessions`);
  }
  t.equal(
    unitSettings({ ...DEFAULT_LIMITS, sessions: 1_000_000 }).openFiles,
    1 << 20,
    'what the kernel allows',
  );
});
