/**
 * docs/policy.md is what the program reads: its tables are the schema's keys, what they allow and their
 * defaults; its example is a policy without faults, and so is examples/vkmemd.toml, which uses every key.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { DEFAULT_LIMITS } from 'vkmemd/dist/policy/limits.js';
import { loadPolicy } from 'vkmemd/dist/policy/load.js';
import { DEFAULT_PRESSURE } from 'vkmemd/dist/policy/policy.js';
import { NO_RIGHTS, OPERATOR, type Rights, TENANT } from 'vkmemd/dist/policy/rights.js';
import {
  type Key,
  type Keys,
  LIMIT_KEYS,
  MATCH_KEYS,
  namesOf,
  PRESSURE_KEYS,
  RIGHT_KEYS,
  TOP_KEYS,
} from 'vkmemd/dist/policy/schema.js';
import { faultsOf, folderOf, MAIN, peer, settings } from '../policy/support.js';
import { root } from '../support/daemon.js';

/** The page, without the padding of its tables. */
const page = readFileSync(join(root, 'docs/policy.md'), 'utf8').replace(/ +\|/g, ' |');

/**
 * The rows of the table whose last column has this heading: the key, its permitted values, and the cells
 * between that and the last.
 */
function rowsUnder(heading: string): { key: string; allowed: string; rest: string[] }[] {
  const [, table = ''] =
    new RegExp(`^\\| key \\|.*\\| ${heading} \\|\\n\\|.*\\n((?:\\|.*\\n)+)`, 'm').exec(page) ?? [];
  return table
    .trimEnd()
    .split('\n')
    .map((row) => row.replaceAll('\\*', '*').slice(2, -2).split(' | '))
    .map(([key = '', allowed = '', ...rest]) => ({
      key: key.slice(1, -1),
      allowed,
      rest: rest.slice(0, -1),
    }));
}

function ofSchema<T>(keys: Keys<T>): { key: string; allowed: string }[] {
  return Object.values<Key<unknown>>(keys).map(({ key, reader }) => ({ key, allowed: reader.allowed }));
}

const withoutRest = (rows: ReturnType<typeof rowsUnder>) =>
  rows.map(({ key, allowed }) => ({ key, allowed }));

t.test('the tables have the keys of the schema', async (t) => {
  t.strictSame(withoutRest(rowsUnder('the peer matches by')), ofSchema(MATCH_KEYS));
  t.strictSame(withoutRest(rowsUnder('what it gives')), ofSchema(RIGHT_KEYS));
  t.strictSame(withoutRest(rowsUnder('what it limits')), ofSchema(LIMIT_KEYS));
  const others = [...ofSchema(TOP_KEYS), ...ofSchema(PRESSURE_KEYS)];
  t.strictSame(withoutRest(rowsUnder('what it is')), others);
});

t.test('the defaults are those of the program', async (t) => {
  t.strictSame(
    rowsUnder('what it limits').map(({ rest }) => rest),
    Object.keys(LIMIT_KEYS).map((limit) => [String(DEFAULT_LIMITS[limit as keyof typeof DEFAULT_LIMITS])]),
  );
  t.strictSame(
    rowsUnder('what it is').map(({ rest }) => rest[0]),
    ['false', String(DEFAULT_PRESSURE.elevated), String(DEFAULT_PRESSURE.critical)],
  );
  const all = (rights: Rights): Partial<Record<keyof Rights, string>> => {
    const plain = ['connect', 'operator', 'seeOthers', 'import'] as const;
    const counts = ['maxAllocations', 'maxSessions', 'maxTickets'] as const;
    return Object.fromEntries([
      ...plain.map((right) => [right, String(rights[right])]),
      ...counts.map((right) => [right, String(rights[right] ?? '`"unlimited"`')]),
      ['maxBytes', `\`"${rights.maxBytes.every}"\``],
      ['claimAccess', `\`"${rights.claimAccess}"\``],
    ]);
  };
  const tenants = all({ ...NO_RIGHTS, ...TENANT, connect: true });
  const operators = all({ ...NO_RIGHTS, ...OPERATOR });
  const rows = new Map(rowsUnder('what it gives').map(({ key, rest }) => [key, rest]));
  for (const right of Object.keys(tenants) as (keyof Rights)[]) {
    t.strictSame(rows.get(RIGHT_KEYS[right].key), [tenants[right], operators[right]], right);
  }
});

t.test('the example is a valid policy', async (t) => {
  const example = readFileSync(join(root, 'examples/vkmemd.toml'), 'utf8');
  const keys = [MATCH_KEYS, RIGHT_KEYS, LIMIT_KEYS, PRESSURE_KEYS, TOP_KEYS].flatMap((schema) =>
    namesOf(schema as Keys<unknown>),
  );
  const unused = keys.filter((key) => !new RegExp(`^${key} = `, 'm').test(example));
  t.strictSame(unused, [], 'it uses every key');
  const folder = folderOf(t, { [MAIN]: example });
  t.strictSame(await faultsOf(folder), []);
  const { policy, warnings } = await loadPolicy(settings(folder));
  t.strictSame(
    warnings.filter(({ what }) => !/this kernel/.test(what)),
    [],
    'it gives no warnings',
  );
  t.equal(policy.rules.length, 5);
  t.match(policy.rightsOf(peer(5, { groups: [44] })), {
    connect: true,
    operator: false,
    maxAllocations: 1000,
  });
  t.match(policy.rightsOf(peer(1001)).maxBytes.heaps?.get(0), { percent: 50 });
  t.match(policy.rightsOf(peer(7, { unit: 'render@3.service' })), { connect: true, claimAccess: 'ro' });
  t.match(policy.rightsOf(peer(1000)), { connect: true, operator: true, import: true });
  t.equal(policy.rightsOf(peer(7)).connect, false);
});

t.test('the example of the page', async (t) => {
  const example = /^```toml\n([\s\S]*?)```/m.exec(page)?.[1] ?? '';
  const folder = folderOf(t, { [MAIN]: example });
  t.strictSame(await faultsOf(folder), []);
  const { policy, warnings } = await loadPolicy(settings(folder));
  t.strictSame(warnings, []);
  t.equal(policy.rules.length, 2);
});

t.test('the page shows an error as the program prints it', async (t) => {
  const [, shown = ''] = /^ {4}\/etc\/vkmemd\/vkmemd\.toml(:3:9: .*), \.\.\.$/m.exec(page) ?? [];
  const [fault = ''] = await faultsOf(folderOf(t, { [MAIN]: '[[rule]]\n# kinds\nkinds = "MAPABLE"\n' }));
  t.ok(shown.length > 20 && fault.startsWith(`${MAIN}${shown}`), fault);
});
