/**
 * docs/limits.md: its table has every limit of the policy with its default, under the name that the policy
 * has for it.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { MIN_IN_FLIGHT } from 'vkmemd/dist/limits/in-flight-fds.js';
import { DEFAULT_LIMITS } from 'vkmemd/dist/policy/limits.js';
import { root } from '../support/daemon.js';

const page = readFileSync(join(root, 'docs/limits.md'), 'utf8');

t.test('every limit with its default', async (t) => {
  const rows = [...page.matchAll(/^\| `(\w+)` +\| ([\d ]+?) +\|/gm)];
  const reported = rows.map(([, name, number]) => [name, Number(number?.replace(/ /g, ''))]);
  const nameOf = (key: string) =>
    key.replace('OfUser', 'PerUser').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const expected = Object.entries(DEFAULT_LIMITS).map(([key, value]) => [nameOf(key), value]);
  const sorted = (list: unknown[][]) => list.map(String).sort();
  t.strictSame(sorted(reported), sorted(expected));
});

t.test('the arithmetic', async (t) => {
  t.match(page, `each session has room for ${MIN_IN_FLIGHT},`);
  t.match(page, `LimitNOFILE=${DEFAULT_LIMITS.sessions * MIN_IN_FLIGHT}`);
  const unit = readFileSync(join(root, 'systemd/vkmemd.service'), 'utf8');
  const max = Number(/^LimitNOFILE=(\d+)$/m.exec(unit)?.[1]);
  t.ok(max >= DEFAULT_LIMITS.sessions * MIN_IN_FLIGHT, 'the service has enough for all of its sessions');
});
