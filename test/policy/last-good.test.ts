/** A restart while a policy file has a fault: the last valid policy is in force, and every report shows it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { LastGoodPolicy } from 'vkmemd/dist/policy/last-good.js';
import { ControlWire } from '../support/control-wire.js';
import { temporaryFolder } from '../support/daemon.js';
import { SupervisedDaemon, until } from '../support/supervised-daemon.js';

const warningsOf = async (runtimeDir: string) => {
  const control = new ControlWire(runtimeDir);
  try {
    const { ready, warnings } = await control.call('GetStatus', {});
    const { families } = await control.call('GetMetrics', {});
    const metric = families.find(({ name }) => name === 'vkmemd_policy_valid');
    return { ready, codes: warnings.map(({ code }) => code), valid: metric?.metrics[0]?.value };
  } finally {
    control.close();
  }
};

t.test('a restarted daemon serves with the last good policy', async (t) => {
  const daemon = await SupervisedDaemon.start(t, { policy: '[limits]\nsessions = 7\n' });
  const { runtimeDir } = daemon;
  t.match(await warningsOf(runtimeDir), { ready: true, codes: [], valid: 1 });
  for (const [fault, sibling] of [
    ['[limits]\nsessions = "many"\n', 'a wrong value'],
    ['[[rule]\n', 'no TOML'],
  ] as const) {
    writeFileSync(daemon.policy, fault);
    await daemon.kill();
    await daemon.serving();
    t.match(await warningsOf(runtimeDir), { ready: true, codes: ['POLICY_INVALID'], valid: 0 }, sibling);
    t.match(daemon.log, /the policy is faulty: the last good one is in force/, 'the log reports it');
  }
  const { sources } = JSON.parse(readFileSync(join(runtimeDir, 'state/policy.json'), 'utf8'));
  t.strictSame(
    sources,
    [{ file: daemon.policy, text: '[limits]\nsessions = 7\n' }],
    'it stays the last good one',
  );
  writeFileSync(daemon.policy, '');
  process.kill(daemon.supervisor, 'SIGHUP');
  await until('the files are in force', async () => (await warningsOf(runtimeDir)).valid === 1 || undefined);
  t.match(await warningsOf(runtimeDir), { ready: true, codes: [] });
});

t.test('a file that is no policy is ignored', async (t) => {
  const folder = temporaryFolder(t);
  const last = new LastGoodPolicy(join(folder, 'state'));
  t.equal(last.read(), undefined, 'no file');
  const sources = [{ file: '/a', text: 'x = 1' }];
  await Promise.all([last.save([]), last.save(sources)]);
  t.strictSame(last.read(), sources, 'the later one');
  for (const text of ['', '{', 'null', '{"sources":[{"file":1}]}', '{"sources":[null]}']) {
    writeFileSync(join(folder, 'state/policy.json'), text);
    t.equal(last.read(), undefined, text);
  }
});
