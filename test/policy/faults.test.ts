/** Every error that a policy can have, with its line and column, and all errors at once. */

import { CATALOGUE } from '@vkmemd/proto';
import t from 'tap';
import { parseApart } from 'vkmemd/dist/policy/apart.js';
import { PolicyError } from 'vkmemd/dist/policy/findings.js';
import { loadPolicy } from 'vkmemd/dist/policy/load.js';
import { CASES } from './fault-cases.js';
import { faultsOf, folderOf, MAIN, settings } from './support.js';

for (const [what, text, ...faults] of CASES) {
  t.test(what, async (t) => {
    const found = await faultsOf(folderOf(t, { [MAIN]: text }));
    t.equal(found.length, faults.length, found.join('\n'));
    for (const [index, [place, sentence]] of faults.entries()) {
      const start = `${MAIN}:${place}: `;
      t.equal(found[index]?.slice(0, start.length), start);
      t.match(found[index]?.slice(start.length), sentence);
    }
  });
}

t.test('all errors of all files are reported at once, in order', async (t) => {
  const root = folderOf(t, {
    '/usr/lib/vkmemd/vkmemd.toml': '[[rule]]\nconect = true\nkinds = "ALL"\n[limits]\nsessions = "x"\n',
    [MAIN]: 'this is no TOML\n',
    '/etc/vkmemd/conf.d/10-a.toml': '[[rule]]\nuid = "no-such-user"\n',
  });
  const found = await faultsOf(root);
  t.strictSame(
    found.map((fault) => fault.split(': ')[0]),
    [
      '/usr/lib/vkmemd/vkmemd.toml:2:1',
      '/usr/lib/vkmemd/vkmemd.toml:3:9',
      '/usr/lib/vkmemd/vkmemd.toml:5:12',
      `${MAIN}:1:6`,
      '/etc/vkmemd/conf.d/10-a.toml:2:7',
    ],
  );
  const error = await loadPolicy(settings(root)).catch((failure: unknown) => failure);
  t.ok(error instanceof PolicyError);
  t.match(error, { code: 'POLICY_INVALID', metadata: { faults: '5' } });
  t.equal((error as PolicyError).grpc, CATALOGUE.POLICY_INVALID.grpc);
});

t.test('the number of errors of a policy that the wire carries is limited', async (t) => {
  const root = folderOf(t, { [MAIN]: '[[rule]]\nuid = -1\n'.repeat(500) });
  const error = (await loadPolicy(settings(root)).catch((failure: unknown) => failure)) as PolicyError;
  t.equal(error.findings.faults.length, 500);
  t.ok(error.message.length < 2000, `${error.message.length} characters`);
  t.equal(error.metadata.faults, '500');
});

t.test("a policy's text cannot break a line of the output", async (t) => {
  const root = folderOf(t, { [MAIN]: `"a\\nb" = 1\n[[rule]]\nunit = "${'x y'.repeat(100)}"\n` });
  for (const fault of await faultsOf(root)) {
    t.notMatch(fault, /\n/);
    t.ok(fault.length < 400, fault);
  }
});

t.test('deep nesting is rejected', async (t) => {
  const deep = (depth: number) => `overcommit = ${'['.repeat(depth)}1${']'.repeat(depth)}\n`;
  t.match(await faultsOf(folderOf(t, { [MAIN]: deep(30) })), [/:1:14: overcommit: this is a list/]);
  const [fault = '', ...more] = await faultsOf(folderOf(t, { [MAIN]: deep(100_000) }));
  t.match(fault, /nested too deeply|invalid TOML/);
  t.strictSame(more, []);
  await t.rejects(
    parseApart([{ file: 'x', text: undefined as unknown as string }]),
    Error,
    "an error in the parser's thread is reported",
  );
  const [good, bad] = await parseApart([
    { file: 'a', text: 'overcommit = true' },
    { file: 'b', text: 'overcommit' },
  ]);
  t.match(good, { root: { kind: 'table' } });
  t.match(bad, { fault: { at: { file: 'b', line: 1 } } });
});
