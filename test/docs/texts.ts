/**
 * The texts of the repository's files: comments and string literals of programs, and the whole of everything
 * else. A text is a paragraph, so that an expression is found where a line break is inside it.
 *
 * Code between backticks is not part of a text. Of TypeScript and JavaScript the parser finds the literals;
 * of C, C++, Python and protobuf a regular expression finds comments and literals.
 */
import ts from 'typescript';

/** A paragraph, and the line of its file in which each part of it begins. */
export interface Text {
  readonly text: string;
  lineAt(offset: number): number;
}

interface Line {
  readonly line: number;
  readonly text: string;
}

/** What ends the language of a file: its extension, or its name where it has none. */
type Reader = (source: string) => Text[];

/** Code between backticks, which has no line break inside. */
const CODE = /`[^`\n]*`/g;
const BLANK = /^\s*$/;
/** A literal without a blank is a name, a path or another value, not a text. */
const SENTENCE = /\S\s+\S/;

/** One text from lines that belong together. */
function paragraph(lines: readonly Line[]): Text {
  const parts = lines.map(({ text }) => text.trim());
  const starts: number[] = [];
  let length = 0;
  for (const part of parts) {
    starts.push(length);
    length += part.length + 1;
  }
  const text = parts.join(' ').replace(CODE, (code) => '`'.padEnd(code.length, '_'));
  const lineAt = (offset: number) => lines[starts.findLastIndex((start) => start <= offset)]?.line ?? 0;
  return { text, lineAt };
}

/** The paragraphs among lines, which blank lines separate. */
function paragraphs(lines: readonly Line[]): Text[] {
  const found: Line[][] = [[]];
  for (const line of lines) {
    if (BLANK.test(line.text)) found.push([]);
    else found.at(-1)?.push(line);
  }
  return found.filter((part) => part.length > 0).map(paragraph);
}

/** The number of the line of each offset, counted from 1. */
function lineCounter(source: string): (offset: number) => number {
  const starts = [0, ...[...source.matchAll(/\n/g)].map(({ index }) => index + 1)];
  return (offset) => {
    let [low, high] = [0, starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] as number) <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}

/** The lines of a part of a source. */
function linesOf(part: string, first: number): Line[] {
  return part.split('\n').map((text, at) => ({ line: first + at, text }));
}

/** A comment's lines without what marks it as one. */
const uncommented = (lines: readonly Line[]): Line[] =>
  lines.map(({ line, text }) => ({
    line,
    text: text.replace(/^\s*(\/\*+!?|\/\/+[/!]?|\*(?!\/)|#+!?)\s?/, '').replace(/\*\/\s*$/, ''),
  }));

/** A literal's lines, with its escaped line breaks as blanks. */
const unescaped = (lines: readonly Line[]): Line[] =>
  lines.map(({ line, text }) => ({ line, text: text.replace(/\\[nrt]/g, '  ') }));

interface Range {
  readonly start: number;
  readonly end: number;
  readonly what: 'comment' | 'literal' | 'skipped';
}

/** Texts from ranges in order: line comments that follow each other are one comment. */
function textsOf(source: string, ranges: readonly Range[]): Text[] {
  const lineOf = lineCounter(source);
  const texts: Text[] = [];
  let comment: Line[] = [];
  const flush = () => {
    texts.push(...paragraphs(comment));
    comment = [];
  };
  let lastEnd = 0;
  for (const { start, end, what } of ranges) {
    const lines = linesOf(source.slice(start, end), lineOf(start));
    if (what !== 'comment' || !/^[^\S\n]*\n?[^\S\n]*$/.test(source.slice(lastEnd, start))) flush();
    if (what === 'comment') comment.push(...uncommented(lines));
    if (what === 'literal' && SENTENCE.test(source.slice(start, end)))
      texts.push(...paragraphs(unescaped(lines)));
    lastEnd = end;
  }
  flush();
  return texts;
}

const LITERALS: ReadonlySet<ts.SyntaxKind> = new Set([
  ts.SyntaxKind.StringLiteral,
  ts.SyntaxKind.NoSubstitutionTemplateLiteral,
  ts.SyntaxKind.TemplateHead,
  ts.SyntaxKind.TemplateMiddle,
  ts.SyntaxKind.TemplateTail,
]);

/** TypeScript and JavaScript. What is between literals is code, in which `//` and `/*` begin comments. */
function ofScript(source: string, name: string): Text[] {
  const file = ts.createSourceFile(name, source, {
    languageVersion: ts.ScriptTarget.ESNext,
    jsDocParsingMode: ts.JSDocParsingMode.ParseNone,
  });
  const literals: Range[] = [];
  const visit = (node: ts.Node): void => {
    const { kind } = node;
    const literal = LITERALS.has(kind);
    if (literal || kind === ts.SyntaxKind.RegularExpressionLiteral)
      literals.push({ start: node.getStart(file), end: node.end, what: literal ? 'literal' : 'skipped' });
    else ts.forEachChild(node, visit);
  };
  visit(file);
  literals.sort((one, other) => one.start - other.start);
  const ranges: Range[] = [];
  const comments = (from: number, to: number) => {
    for (const { index, 0: comment } of source.slice(from, to).matchAll(/\/\*.*?\*\/|\/\/[^\n]*|^#![^\n]*/gs))
      ranges.push({ start: from + index, end: from + index + comment.length, what: 'comment' });
  };
  let at = 0;
  for (const literal of literals) {
    comments(at, literal.start);
    ranges.push(literal);
    at = literal.end;
  }
  comments(at, source.length);
  return textsOf(source, ranges);
}

/** @param tokens matches comments and literals; the first characters distinguish them. */
const byTokens =
  (tokens: RegExp): Reader =>
  (source) =>
    textsOf(
      source,
      [...source.matchAll(tokens)].map(({ index, 0: token }) => ({
        start: index,
        end: index + token.length,
        what: /^(\/\/|\/\*|#)/.test(token) ? 'comment' : 'literal',
      })),
    );

const ofC = byTokens(
  /\/\*.*?\*\/|\/\/[^\n]*|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<!\w)'(?:\\.|[^'\\\n])+'/gs,
);
const ofPython = byTokens(/("""|''').*?\1|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|#[^\n]*/gs);
/** The whole file is text, including the commands of a shell script. */
const ofPlain: Reader = (source) => paragraphs(uncommented(linesOf(source, 1)));

/** Readers by the end of a path; the first that matches. */
const READERS: readonly [RegExp, Reader | undefined][] = [
  [/^(test\/fuzz\/corpus\/|LICENSE$)|package-lock\.json$/, undefined],
  [/\.(cc|c|h|proto)$/, ofC],
  [/\.py$/, ofPython],
  [/package\.json$|(?<!\.json)$/, ofPlain],
];

/** The texts of a file of the repository; none where it has only data. */
export function textsIn(path: string, source: string): Text[] {
  if (/\.[cm]?[jt]s$/.test(path)) return ofScript(source, path);
  return READERS.find(([fits]) => fits.test(path))?.[1]?.(source) ?? [];
}

/** Of text that a program prints, in paragraphs. */
export const printed = (text: string): Text[] => paragraphs(linesOf(text, 1));
