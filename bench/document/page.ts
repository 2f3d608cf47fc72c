/** docs/performance.md, whose generated parts are between markers, and the files beside it. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Each has a part of the page, and a report of its own, performance-PART.json. */
export type Part = 'cpu' | 'gpu';

export const docs = (name: string): string =>
  fileURLToPath(new URL(`../../../docs/${name}`, import.meta.url));
export const PAGE = docs('performance.md');
export const dataOf = (part: Part): string => docs(`performance-${part}.json`);

const begin = (part: Part): string =>
  `<!-- Generated from performance-${part}.json by \`npm run docs:performance\`. -->`;
const END = '<!-- End of the generated part. -->';

/** The page with another text of a part. @throws Error where the page lacks its markers. */
export function withPart(page: string, part: Part, text: string): string {
  const from = page.indexOf(begin(part));
  const to = page.indexOf(END, from);
  if (from < 0 || to < 0) throw new Error(`docs/performance.md lacks the markers of its part ${part}`);
  return `${page.slice(0, from)}${begin(part)}\n\n${text}\n\n${page.slice(to)}`;
}

/** The recorded report; undefined where none is. */
export function readReport<Report>(part: Part): Report | undefined {
  const path = dataOf(part);
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
}

export const writeReport = (part: Part, text: string): void => writeFileSync(dataOf(part), text);
