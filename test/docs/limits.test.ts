/**
 * docs/limits.md: its numbers are those of the program. The table of the policy's limits is in docs/policy.md.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { MIN_IN_FLIGHT } from 'vkmemd/dist/limits/in-flight-fds.js';
import { DEFAULT_LIMITS } from 'vkmemd/dist/policy/limits.js';
import { root } from '../support/daemon.js';

const page = readFileSync(join(root, 'docs/limits.md'), 'utf8').replace(/\s+/g, ' ');

t.test('the calculations of the page use the current constants', async (t) => {
  t.match(page, `each session has room for ${MIN_IN_FLIGHT},`);
  t.match(page, `LimitNOFILE=${DEFAULT_LIMITS.sessions * MIN_IN_FLIGHT}`);
  const unit = readFileSync(join(root, 'systemd/vkmemd.service'), 'utf8');
  const max = Number(/^LimitNOFILE=(\d+)$/m.exec(unit)?.[1]);
  t.ok(max >= DEFAULT_LIMITS.sessions * MIN_IN_FLIGHT, 'LimitNOFILE is enough for all sessions');
});
