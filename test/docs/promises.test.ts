/**
 * docs/promises.md: each sentence of docs/security.md and docs/limits.md has a test that holds it, or is listed there
 * as an explanation. A sentence that is added, or changed, fails here until the page says which test holds it.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { root } from '../support/daemon.js';

const PROMISES = 'docs/promises.md';
const PAGES = ['security.md', 'limits.md'];
/** Words before a dot that end no sentence. */
const ABBREVIATED = /\b(e\.g|i\.e|vs)\.$/;

const textOf = (file: string) => readFileSync(join(root, file), 'utf8');
const onOneLine = (text: string) => text.replace(/\s+/g, ' ').trim();

/** A page as sentences, without headings, tables and blocks of code. */
function sentencesOf(page: string): string[] {
  const prose = textOf(join('docs', page))
    .replace(/^```.*?^```$/gms, '')
    .replace(/^(#|\|).*$/gm, '');
  const paragraphs = prose.split(/\n\s*\n|\n(?=- )/).map((text) => onOneLine(text.replace(/^\s*- /, '')));
  return paragraphs.flatMap((paragraph) => {
    const sentences: string[] = [];
    for (const part of paragraph.split(/(?<=[.!?])\s+(?=[A-Z*`[])/)) {
      const last = sentences.at(-1);
      if (last !== undefined && ABBREVIATED.test(last)) sentences[sentences.length - 1] = `${last} ${part}`;
      else if (part !== '') sentences.push(part);
    }
    return sentences;
  });
}

interface Row {
  /** Words of the sentence, as they stand in the page. */
  readonly words: string;
  /** Undefined for a sentence that only explains. */
  readonly file: string | undefined;
  readonly test: string;
}

/** The rows about a page: `| words | file | name of the test |`, or `- words` for an explanation. */
function rowsOf(page: string): Row[] {
  const [, section = ''] = new RegExp(`^## ${page}$(.*?)(?=^## |(?![^]))`, 'ms').exec(textOf(PROMISES)) ?? [];
  const rows = [...section.matchAll(/^\| (.*?) \| `(\S+)` \| `(.*)` \|$/gm)];
  const explained = [...section.matchAll(/^- (.*)$/gm)];
  return [
    ...rows.map(([, words = '', file = '', test = '']) => ({ words, file, test })),
    ...explained.map(([, words = '']) => ({ words, file: undefined, test: '' })),
  ];
}

/** The names of the tests of a file, as they stand in its source. */
function testsIn(file: string): string[] {
  if (!existsSync(join(root, file))) return [];
  const names = textOf(file).matchAll(/\bt\.test\(\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|`([^`]*)`)/g);
  return [...names].map(([, single, double, template]) => single ?? double ?? template ?? '');
}

for (const page of PAGES) {
  const sentences = sentencesOf(page);
  const rows = rowsOf(page);

  t.test(`each sentence of docs/${page} has a test, or is an explanation`, async (t) => {
    t.ok(sentences.length > 50, `${sentences.length} sentences`);
    const open = sentences.filter((sentence) => !rows.some(({ words }) => sentence.includes(words)));
    t.strictSame(
      open,
      [],
      `each of these needs a row below "## ${page}" of ${PROMISES}: words of it, the file and the name of the test that
fails if it is not true; only a sentence that promises nothing is an item of the list below the table`,
    );
  });

  t.test(`each row about docs/${page} is of a sentence of it, and of one sentence`, async (t) => {
    t.ok(rows.length > 50, `${rows.length} rows`);
    for (const { words } of rows) {
      const found = sentences.filter((sentence) => sentence.includes(words)).length;
      t.equal(
        found,
        1,
        `"${words}" stands in ${found} sentences of docs/${page}: change the row with the sentence`,
      );
    }
  });

  t.test(`each test that a row about docs/${page} names exists`, async (t) => {
    for (const { words, file, test } of rows) {
      if (file === undefined) continue;
      t.ok(existsSync(join(root, file)), `"${words}": ${file}`);
      const names = testsIn(file);
      t.ok(names.includes(test), `"${words}": ${file} has no test "${test}"; it has: ${names.join(' | ')}`);
    }
  });

  t.test(`the tests that docs/${page} itself names are those of its rows`, async (t) => {
    for (const sentence of sentences) {
      for (const [, named = ''] of sentence.matchAll(/\(?`(test\/[\w/.-]+\.test\.ts)`/g)) {
        const mine = rows.filter(({ words }) => sentence.includes(words));
        t.ok(
          mine.some(({ file }) => file === named),
          `${named} is named by "${sentence}", but by none of its rows`,
        );
      }
    }
  });
}
