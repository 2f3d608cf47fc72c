/**
 * docs/architecture.md is true: its table of arrows is the rules' of .dependency-cruiser.cjs, which
 * test/architecture/arrows.test.ts checks; the files that the page names exist; the functions that its
 * tables name are in them.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import t from 'tap';
import { root } from '../support/daemon.js';

/** The page, without the padding of its tables. */
const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8').replace(/ +\|/g, ' |');

interface Rule {
  readonly name: string;
  readonly to: { readonly pathNot?: readonly string[] };
}

t.test('the arrows of the page equal the checked rules', async (t) => {
  const { forbidden }: { forbidden: readonly Rule[] } = createRequire(import.meta.url)(
    join(root, '.dependency-cruiser.cjs'),
  );
  const plain = (pattern: string) => pattern.replace('^', '').replaceAll('[.]', '.');
  const checked = forbidden.flatMap(({ name, to }) => {
    const part = /^arrow (.*[^*].*)$/.exec(name)?.[1];
    if (part === undefined || part === 'daemon/*.ts') return [];
    const allowed = (to.pathNot ?? []).map(plain).filter((path) => path !== part);
    return [`${part} may import ${allowed.sort().join(' ')}`];
  });
  const shape = page.slice(page.indexOf('## The shape'), page.indexOf('## The way'));
  const rows = [...shape.matchAll(/^\| +`([\w./]+)` +\|[^|]*\| ([^|]*) \|$/gm)];
  const shown = rows.map(([, part, cell = '']) => {
    const allowed = [...cell.matchAll(/`([\w./-]+)`/g)].map(([, path = '']) => path);
    return `${part} may import ${allowed.sort().join(' ')}`;
  });
  const ROOT = ['daemon/main.ts', 'daemon/daemon.ts'];
  t.ok(checked.length > 12, `${checked.length} parts have arrows`);
  t.strictSame(
    shown.filter((row) => !ROOT.some((file) => row.startsWith(file))).sort(),
    checked.sort(),
    'the rows of the table equal the rules',
  );
});

t.test('the files and functions that the page names exist', async (t) => {
  const paths = [...page.matchAll(/`([\w./-]+\/[\w./-]*)`|\]\(([\w./-]+)\)/g)].map(
    ([, code, link]) => code ?? join('docs', link ?? ''),
  );
  t.ok(paths.length > 30, `${paths.length} paths are named`);
  t.strictSame(
    paths.filter((path) => !existsSync(join(root, path))),
    [],
    'each exists',
  );
  const named = [...page.matchAll(/`([\w./-]+\.(?:ts|cc))`(?: \| |\s)((?:`[#\w]+`(?:, )?)+)/g)];
  t.ok(named.length > 25, `${named.length} files are named with functions`);
  for (const [, path = '', names = ''] of named) {
    const whole = existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : '';
    const text = whole.replace(/^\s*(\/\*|\*|\/\/).*$/gm, '');
    const missing = [...names.matchAll(/`([#\w]+)`/g)]
      .map(([, name = '']) => name)
      .filter((name) => !new RegExp(`(?<![\\w#])${name}\\b`).test(text));
    t.strictSame(missing, [], `${path} contains the functions named with it`);
  }
});
