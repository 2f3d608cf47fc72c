/**
 * The pages: each is in the index docs/README.md, or in that of the decisions. Each link leads to a file and,
 * where it names one, to a heading.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import t from 'tap';
import { root } from '../support/daemon.js';

const INDEX = 'docs/README.md';
/** The index of the decisions. */
const DECISIONS = 'docs/decisions/README.md';
const pages = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.md'))
  .map((file) => `docs/${file}`);
const files = [...pages, 'README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md'];

/** The text without what is code. */
const text = (file: string) =>
  readFileSync(join(root, file), 'utf8')
    .replace(/^```.*?^```$/gms, '')
    .replace(/`[^`\n]*`/g, (code) => code.replace(/[[\]()]/g, ' '));

/** The links of a page to files of the repository: path from its root, and heading. */
function linksOf(file: string): { readonly path: string; readonly anchor: string | undefined }[] {
  return [...text(file).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link = '']) => {
    if (/^[a-z]+:/.test(link)) return [];
    const [path = '', anchor] = link.split('#');
    return [{ path: path === '' ? file : relative(root, join(root, dirname(file), path)), anchor }];
  });
}

/** The anchors of a page, as GitHub makes them of its headings. */
function anchorsOf(file: string): string[] {
  const headings = [...readFileSync(join(root, file), 'utf8').matchAll(/^#+ (.*)$/gm)];
  return headings.map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_\- ]/gu, '')
      .replaceAll(' ', '-'),
  );
}

t.test('every page is in the index', async (t) => {
  const linked = new Set([INDEX, DECISIONS].flatMap(linksOf).map(({ path }) => path));
  for (const page of pages) if (page !== INDEX) t.ok(linked.has(page), page);
});

t.test('every link has an existing target', async (t) => {
  for (const file of files) {
    for (const { path, anchor } of linksOf(file)) {
      const name = `${file}: ${path}${anchor === undefined ? '' : `#${anchor}`}`;
      t.ok(existsSync(join(root, path)) && (anchor === undefined || anchorsOf(path).includes(anchor)), name);
    }
  }
});
