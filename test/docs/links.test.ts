/**
 * Links: every relative link of the Markdown pages leads to a file, and its anchor to a heading of that file.
 * Every page of docs/ that a source file, a unit or a message names exists, and so does every manual page
 * that a unit names.
 *
 * Limits: links to other hosts are not followed; anchors are GitHub's, of headings alone.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import t from 'tap';
import { root } from '../support/daemon.js';

const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(root, file)));

const textOf = (file: string): string => readFileSync(join(root, file), 'utf8');

/** A page without its blocks of code, which contain neither links nor headings. */
const proseOf = (page: string): string => textOf(page).replace(/^(```|~~~)[\s\S]*?^\1/gm, '');

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ''] of proseOf(page).matchAll(/^#{1,6} (.*)$/gm)) {
    const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const anchor = text.replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '').replaceAll(' ', '-');
    let unique = anchor;
    for (let count = 1; anchors.has(unique); count += 1) unique = `${anchor}-${count}`;
    anchors.add(unique);
  }
  return anchors;
}

/** The error of a link of a page; undefined if the link is correct. */
function faultOf(page: string, link: string): string | undefined {
  const [path = '', anchor] = link.split('#');
  const file = path === '' ? page : relative(root, resolve(root, dirname(page), path));
  if (!existsSync(join(root, file))) return `${page}: ${link}: there is no ${file}`;
  if (anchor === undefined || !file.endsWith('.md') || anchorsOf(file).has(anchor)) return undefined;
  return `${page}: ${link}: ${file} has no such heading`;
}

t.test('relative links and their anchors exist', async (t) => {
  const pages = files.filter((file) => file.endsWith('.md'));
  const links = pages.flatMap((page) => {
    const prose = proseOf(page).replace(/`[^`\n]*`/g, '');
    const inline = [...prose.matchAll(/\]\(<?([^()\s>]+)>?(?: "[^"]*")?\)/g)];
    const defined = [...prose.matchAll(/^\[[^\]]+\]: (\S+)/gm)];
    const sources = [...prose.matchAll(/(?:src|href)="([^"]+)"/g)];
    return [...inline, ...defined, ...sources].map(([, link = '']) => ({ page, link }));
  });
  const own = links.filter(({ link }) => !/^[a-z+.-]+:/i.test(link));
  t.ok(own.length > 50);
  const faults = own.map(({ page, link }) => faultOf(page, link)).filter((fault) => fault !== undefined);
  t.strictSame(faults, []);
});

t.test('pages that other files name exist', async (t) => {
  const faults = files
    .filter((file) => /\.(ts|mjs|js|cjs|cc|h|c|py|proto|sh|md|service|socket|toml|json)$|\/[^.]+$/.test(file))
    .flatMap((file) =>
      [...textOf(file).matchAll(/(?<![\w/.-])docs\/([\w-]+\.md)(#[\w-]+)?/g)].map(
        ([, page, anchor = '']) => ({
          file,
          fault: faultOf('docs', `docs/${page}${anchor}`),
        }),
      ),
    )
    .filter(({ fault }) => fault !== undefined);
  t.strictSame(faults, []);
});

t.test('manual pages that units name exist', async (t) => {
  const units = files.filter((file) => /^systemd\/.*\.(service|socket)$/.test(file));
  const pages = ['vkmemd(8)', 'vkmemctl(1)', 'vkmemd.toml(5)'];
  for (const unit of units) {
    const [, named = ''] = /^Documentation=man:(\S+)$/m.exec(textOf(unit)) ?? [];
    t.ok(pages.includes(named), `${unit} names ${named}`);
  }
});
