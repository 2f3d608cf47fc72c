/**
 * vkmemd --unit-settings: the settings that a policy needs in a unit; never less than the units' own, and
 * enough for the sessions that the policy allows.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { FdBudget } from 'vkmemd/dist/limits/fd-budget.js';
import { openFilesFor, SHIPPED } from 'vkmemd/dist/limits/unit-settings.js';
import { DEFAULT_LIMITS } from 'vkmemd/dist/policy/limits.js';
import { folderOf, MAIN } from '../policy/support.js';
import { daemonProgram, plainEnvironment, root } from '../support/daemon.js';

const textOf = (unit: string): string => readFileSync(join(root, 'systemd', unit), 'utf8');

function settingsOf(t: Test, policy: string) {
  const args = [daemonProgram, '--unit-settings', '--config-root', folderOf(t, { [MAIN]: policy })];
  const env = { ...plainEnvironment(), VK_DRIVER_FILES: '/nonexistent.json' };
  return spawnSync(process.execPath, args, { encoding: 'utf8', env, timeout: 30_000 });
}

t.test('the settings for a policy are printed', async (t) => {
  const stored = 'FileDescriptorStoreMax=16384\nEnvironment=VKMEMD_FDSTORE_MAX=16384';
  t.match(settingsOf(t, ''), {
    status: 0,
    stderr: '',
    stdout: new RegExp(`\n\\[Service\\]\n${stored}\nLimitNOFILE=131072\n$`),
  });
  t.match(settingsOf(t, '[limits]\nstored_fds = 100\nsessions = 50_000\n'), {
    status: 0,
    stdout: new RegExp(`${stored}\nLimitNOFILE=200704\n$`),
  });
  t.match(settingsOf(t, 'limits.stored_fds = 16_385\n'), {
    status: 78,
    stdout: '',
    stderr: /POLICY_INVALID: .*vkmemd\.toml:1:\d+: .*16384/,
  });
});

t.test("never less than the units' own, and at most the fds that can be stored", async (t) => {
  for (const unit of ['vkmemd.service', 'vkmemd@.service']) {
    const value = (name: string) => new RegExp(`^${name}=(\\d+)$`, 'm').exec(textOf(unit))?.[1];
    t.equal(value('FileDescriptorStoreMax'), String(SHIPPED.storedFds), unit);
    t.equal(value('LimitNOFILE'), String(SHIPPED.openFiles), unit);
  }
  t.equal(openFilesFor({ ...DEFAULT_LIMITS, sessions: 1, storedFds: 1 }), SHIPPED.openFiles);
  t.equal(openFilesFor(DEFAULT_LIMITS), SHIPPED.openFiles, 'the units are sized for the defaults');
  t.equal(DEFAULT_LIMITS.storedFds, SHIPPED.storedFds);
});

t.test('RLIMIT_NOFILE is enough for the permitted sessions', async (t) => {
  for (const sessions of [100, 10_000, 50_000, 200_000]) {
    const limits = { ...DEFAULT_LIMITS, sessions };
    const max = openFilesFor(limits);
    const budget = new FdBudget({ max, open: 60 }, limits.reservedFds);
    t.ok(budget.maxSessions >= sessions, `${max} files, ${budget.maxSessions} sessions`);
  }
  t.equal(openFilesFor({ ...DEFAULT_LIMITS, sessions: 1_000_000 }), 1 << 20, "at most the kernel's limit");
});
