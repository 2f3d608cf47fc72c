/** The names of errnos: all of Linux's, as the C library has them. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getSystemErrorMap } from 'node:util';
import t from 'tap';
import { root } from '../support/daemon.js';

t.test('each errno has a name and a text', async (t) => {
  const header = readFileSync(join(root, 'proto/native/errno_names.h'), 'utf8');
  const named = new Map(
    [...header.matchAll(/^ *X\((E\w+), "(.+)"\)/gm)].map(([, name = '', text = '']) => [name, text]),
  );
  const { stdout } = spawnSync('gcc', ['-E', '-dM', '-xc', '-'], {
    input: '#include <errno.h>',
    encoding: 'utf8',
  });
  const defined = new Map(
    [...stdout.matchAll(/^#define (E\w+) (\w+)$/gm)].map(([, name = '', value = '']) => [name, value]),
  );
  t.ok(defined.size > 130, `${defined.size} errnos of the C library`);
  // Some are other names of the same number: ENOTSUP is EOPNOTSUPP.
  const numberOf = (name: string): number =>
    Number(defined.get(defined.get(name) ?? '') ?? defined.get(name));
  const numbers = new Map([...defined.keys()].map((name) => [name, numberOf(name)]));
  const seen = new Set([...named.keys()].map((name) => numbers.get(name)));
  for (const [name, number] of numbers) t.ok(seen.has(number), `${name} (${number})`);
  for (const name of ['EHWPOISON', 'ERFKILL', 'EUCLEAN', 'EOWNERDEAD']) t.ok(named.has(name), name);
  for (const [negative, [name, text]] of getSystemErrorMap()) {
    if (numbers.get(name) === -negative) t.equal(named.get(name), text, `${name} has the text of Node.js`);
  }
});
