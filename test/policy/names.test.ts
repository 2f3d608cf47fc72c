/** Names of users and groups in a policy, from the files or from the name service. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadPolicy } from 'vkmemd/dist/policy/load.js';
import { faultsOf, folderOf, MAIN, policyOf, settings } from './support.js';

t.test('names of users and groups become ids', async (t) => {
  const [, name = '', id] = /^([^:\n]+):[^:]*:([1-9]\d*):/m.exec(readFileSync('/etc/passwd', 'utf8')) ?? [];
  const { policy } = await policyOf(
    t,
    `[[rule]]\nuid = ["root", "${name}"]\ngroup = "root"\nclaim_from = "${name}"\n`,
  );
  t.strictSame(policy.rules[0]?.match, { uids: new Set([0, Number(id)]), groups: new Set([0]) });
  t.strictSame(policy.rules[0]?.gives, { claimFrom: new Set([Number(id)]) });
});

t.test('names that are not in the files are queried from the name service', async (t) => {
  const folder = folderOf(t, {});
  const path = process.env.PATH;
  t.teardown(() => {
    process.env.PATH = path;
  });
  const service = (script: string) => {
    writeFileSync(join(folder, 'getent'), `#!/bin/sh\necho "$@" >>${folder}/asked\n${script}\n`, {
      mode: 0o755,
    });
    process.env.PATH = `${folder}:${path}`;
  };
  service('case $2 in far-*) echo "$2:x:4242:4343::/:/bin/sh";; *) exit 2;; esac');
  const root = folderOf(t, {
    [MAIN]: '[[rule]]\nuid = ["far-away", "root"]\ngid = "far-group"\nclaim_from = "far-away"\n',
  });
  const { policy } = await loadPolicy(settings(root));
  t.strictSame(policy.rules[0]?.match, { uids: new Set([4242, 0]), gids: new Set([4242]) });
  const asked = readFileSync(join(folder, 'asked'), 'utf8').trim().split('\n').sort();
  t.strictSame(asked, ['group far-group', 'passwd far-away'], 'each once, and no name that is in the files');

  service(`mkdir ${folder}/asking || exit 3; sleep 0.1; rmdir ${folder}/asking; exit 2`);
  const several = folderOf(t, { [MAIN]: '[[rule]]\nuid = ["a", "b"]\ngid = ["c", "d"]\n' });
  for (const fault of await faultsOf(several)) t.match(fault, /there is no/, 'one query at a time');

  service('exit 1');
  const silent = folderOf(t, { [MAIN]: '[[rule]]\nuid = ["far-away", "farther", "root"]\n' });
  t.match(await faultsOf(silent), [
    /:2:8: uid: the user "far-away" could not be looked up \(getent: 1\)/,
    /:2:20: uid: the user "farther" could not be looked up/,
  ]);
  service('kill -9 $$');
  t.match(await faultsOf(silent), [/could not be looked up \(getent: SIGKILL\)/, /farther/]);
  process.env.PATH = '/nowhere';
  t.match(await faultsOf(silent), [/could not be looked up \(getent: ENOENT\)/, /farther/]);
});
