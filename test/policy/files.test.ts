/**
 * The paths of policy files, the order in which they are read, and the errors of files that cannot be read.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { findingText } from 'vkmemd/dist/policy/findings.js';
import { loadPolicy } from 'vkmemd/dist/policy/load.js';
import { asUser } from '../support/as-user.js';
import { noOtherUser } from '../support/uid.js';
import { faultsOf, folderOf, MAIN, policyOf, settings } from './support.js';

const rule = (uid: number) => `[[rule]]\nuid = ${uid}\nmax_tickets = ${uid}\n`;

t.test('files are read in order', async (t) => {
  const files = [
    '/usr/lib/vkmemd/20-more.toml',
    '/usr/lib/vkmemd/vkmemd.toml',
    '/usr/lib/vkmemd/conf.d/90-last.toml',
    MAIN,
    '/etc/vkmemd/conf.d/10-a.toml',
    '/etc/vkmemd/conf.d/9-b.toml',
    '/etc/vkmemd/conf.d/B.toml',
    '/etc/vkmemd/conf.d/a.toml',
  ];
  const unread = [
    '/etc/vkmemd/conf.d/.hidden.toml',
    '/etc/vkmemd/conf.d/note.txt',
    '/etc/vkmemd/conf.d/a.toml~',
  ];
  const texts = files.map((file, index) => [file, rule(index + 1)] as const);
  const broken = unread.map((file) => [file, 'no TOML'] as const);
  const root = folderOf(t, Object.fromEntries([...texts, ...broken].reverse()));
  const { policy, warnings } = await loadPolicy(settings(root));
  t.strictSame(
    policy.files,
    files.map((file) => join(root, file)),
  );
  t.strictSame(
    policy.rules.map(({ gives }) => gives.maxTickets),
    [1, 2, 3, 4, 5, 6, 7, 8],
  );
  t.equal(policy.rules[3]?.where, join(root, `${MAIN}:1`));
  t.strictSame(warnings, []);
});

t.test('later settings replace earlier ones, rules are added', async (t) => {
  const root = folderOf(t, {
    '/usr/lib/vkmemd/vkmemd.toml': `overcommit = true\n[limits]\nsessions = 5\nrequest_burst = 7\n[pressure]\nelevated = 99\n${rule(1)}`,
    [MAIN]: `overcommit = false\nlimits.sessions = 6\npressure = { elevated = 50, critical = 60 }\n${rule(2)}`,
  });
  const { policy } = await loadPolicy(settings(root));
  t.equal(policy.overcommit, false);
  t.match(policy.limits, { sessions: 6, requestBurst: 7, queuedMessages: 256 });
  t.strictSame(policy.pressure, { elevated: 50, critical: 60 });
  t.equal(policy.rules.length, 2);
  const given = await loadPolicy(settings(root, { pressure: { critical: 70 }, importers: new Set([9]) }));
  t.strictSame(given.policy.pressure, { elevated: 50, critical: 70 }, 'the command line has precedence');
  t.strictSame(given.policy.rules.at(-1), {
    where: '--allow-import',
    match: { uids: new Set([9]) },
    gives: { import: true },
  });
  t.match(await faultsOf(root, { pressure: { critical: 40 } }), [
    /vkmemd\.toml:3:25: elevated \(50\) is above/,
  ]);
});

t.test('no file is required, except that of --config', async (t) => {
  const root = folderOf(t, {});
  const { policy } = await loadPolicy(settings(root));
  t.strictSame([policy.files, policy.rules], [[], []]);
  const config = join(root, 'other.toml');
  t.strictSame(await faultsOf(root, { config }), [
    '/other.toml: the file does not exist (ENOENT); create it, or name another with --config.',
  ]);
  writeFileSync(config, rule(3));
  mkdirSync(join(root, 'etc/vkmemd'), { recursive: true });
  writeFileSync(join(root, MAIN), 'no TOML');
  t.strictSame(
    (await loadPolicy(settings(root, { config }))).policy.files,
    [config],
    'it replaces all other files',
  );
  t.strictSame((await loadPolicy(settings(root, { config: '/dev/null' }))).policy.rules, []);
});

t.test('a file that exists and cannot be read is an error', async (t) => {
  const root = folderOf(t, { '/etc/vkmemd/conf.d/ok.toml': rule(1) });
  const conf = join(root, 'etc/vkmemd/conf.d');
  mkdirSync(join(root, MAIN), { recursive: true });
  symlinkSync('/nowhere', join(conf, 'dangling.toml'));
  symlinkSync('/dev/zero', join(conf, 'endless.toml'));
  spawnSync('mkfifo', [join(conf, 'fifo.toml')]);
  writeFileSync(join(conf, 'latin1.toml'), Buffer.from('a = 1\n# ue: \xfc\n', 'latin1'));
  writeFileSync(join(root, 'usr'), '');
  t.strictSame(
    (await faultsOf(root)).sort(),
    [
      `${MAIN}: the file cannot be read: it is not a regular file.`,
      '/etc/vkmemd/conf.d/dangling.toml: the file is a link whose target does not exist (ENOENT); remove it, or restore the target.',
      '/etc/vkmemd/conf.d/endless.toml: the file is too large; allowed: at most 262144 bytes.',
      '/etc/vkmemd/conf.d/fifo.toml: the file cannot be read: it is not a regular file.',
      '/etc/vkmemd/conf.d/latin1.toml:2:7: invalid UTF-8; allowed: TOML in UTF-8.',
      '/usr/lib/vkmemd/conf.d: the folder cannot be read: ENOTDIR.',
      '/usr/lib/vkmemd: the folder cannot be read: ENOTDIR.',
    ].sort(),
  );
});

t.test('a dangling link is an error', async (t) => {
  const link = (path: string) => {
    const root = folderOf(t, { '/etc/vkmemd/conf.d-before/a.toml': rule(1) });
    mkdirSync(dirname(join(root, path)), { recursive: true });
    symlinkSync('/nowhere', join(root, path));
    return faultsOf(root);
  };
  t.strictSame(await link(MAIN), [
    `${MAIN}: the file is a link whose target does not exist (ENOENT); remove it, or restore the target.`,
  ]);
  for (const folder of ['/etc/vkmemd/conf.d', '/usr/lib/vkmemd', '/usr/lib/vkmemd/conf.d']) {
    t.strictSame(await link(folder), [
      `${folder}: the folder is a link whose target does not exist (ENOENT); remove it, or restore the target.`,
    ]);
  }
  const nowhere = join(folderOf(t, {}), 'none');
  t.strictSame(
    await faultsOf(nowhere),
    [': the folder does not exist (ENOENT); correct --config-root.'],
    'a missing folder is reported with its path',
  );
});

t.test('a file or folder without read permission is an error', { skip: noOtherUser ?? false }, async (t) => {
  const root = folderOf(t, { [MAIN]: rule(1), '/etc/vkmemd/conf.d/a.toml': rule(1) });
  chmodSync(root, 0o755);
  chmodSync(join(root, MAIN), 0o600);
  chmodSync(join(root, 'etc/vkmemd/conf.d'), 0o700);
  const reported = await asUser({ uid: 65_534, gid: 65_534, groups: [] }, 'check-config.js', [root]);
  t.strictSame(reported, [
    '/etc/vkmemd/conf.d: the folder cannot be read (EACCES); let the user that vkmemd runs as read it.',
    '/etc/vkmemd/vkmemd.toml: the file cannot be read (EACCES); let the user that vkmemd runs as read it.',
  ]);
});

t.test('suspicious files and rules are warnings', async (t) => {
  const root = folderOf(t, { [MAIN]: rule(1), '/etc/vkmemd/mine.toml': 'no TOML' });
  chmodSync(join(root, MAIN), 0o666);
  const { warnings } = await loadPolicy(settings(root));
  t.strictSame(
    warnings.map((warning) => findingText(warning).replaceAll(root, '')),
    [
      '/etc/vkmemd/mine.toml: the file is not read; to use it, move it to /etc/vkmemd/conf.d.',
      '/etc/vkmemd/vkmemd.toml: the file is world-writable: every user can change the policy.',
    ],
  );
  const oddities = async (text: string) =>
    (await policyOf(t, text)).warnings
      .filter(({ what }) => !/this kernel/.test(what))
      .map(({ at, what }) => `${at.line}:${at.column} ${what}`);
  t.match(await oddities('[[rule]]\nuid = []\nconnect = true\n'), [
    '1:3 the rule can never match: uid is empty.',
  ]);
  t.match(await oddities('[[rule]]\nunit = "sshd"\nconnect = true\n'), [
    /^1:3 the rule can never match: a unit's name ends/,
  ]);
  t.strictSame(
    await oddities('[[rule]]\nunit = ["sshd", "ssh*"]\nconnect = true\n'),
    [],
    'one of the names may match',
  );
  t.match(await oddities('\n[[rule]]\nuid = 5\n'), ['2:3 the rule gives no right.']);
  t.match(await oddities('[[rule]]\nconnect = false\n'), [/^1:3 root may not connect/]);
  t.match(await oddities('[[rule]]\nconnect = false\noperator = true\n'), [
    /makes peers operators and does not allow/,
    /root may not/,
  ]);
  t.match(await oddities('[[rule]]\nreserved_bytes = "1MiB"\n'), [/reserved for every user, and the number/]);
  t.match(await oddities('[[rule]]\ngroup = 5\nreserved_bytes = "1MiB"\n'), [
    /reserved for every user that matches, and the number/,
  ]);
  const idle = 'the rule has no effect: no rule lets these peers connect (connect = true).';
  const admits5 = '[[rule]]\nuid = 5\nconnect = true\n';
  const reads = '[[rule]]\nuid = 33\nclaim_from = 5\n';
  t.strictSame(await oddities(`${admits5}${reads}`), [`4:3 ${idle}`]);
  t.strictSame(await oddities(reads), [], "without such a rule the sockets' group may connect");
  t.strictSame(await oddities(`${admits5}${reads}[[rule]]\nunit = "a.service"\nconnect = true\n`), []);
  t.strictSame(await oddities(`${admits5}${reads}[[rule]]\nuid = [5, 33]\noperator = true\n`), []);
  t.strictSame(await oddities(`${admits5}[[rule]]\nuid = 0\nmax_bytes = 0\n`), [], 'root may connect');
  t.strictSame(await oddities(`${admits5}[[rule]]\nuid = 9\nreserved_bytes = 9\n`), []);
  const access = 'claim_access has no effect: no rule gives these peers claim_from.';
  t.strictSame(await oddities(`${admits5}claim_access = "rw"\n`), [`1:3 ${access}`]);
  t.strictSame(await oddities(`${admits5}claim_access = "rw"\n[[rule]]\ngroup = 7\nclaim_from = 6\n`), []);
  const max = (over: string) =>
    `${over}[[rule]]\nuid = [5, 6]\nreserved_bytes = "50%"\n[[rule]]\nuid = 7\nreserved_bytes = "1%"\n`;
  t.match(await oddities(max('')), [
    '4:3 with this rule 101 % of a heap are reserved; only overcommit = true allows more than 100 %.',
  ]);
  t.strictSame(await oddities(max('overcommit = true\n')), []);
});
