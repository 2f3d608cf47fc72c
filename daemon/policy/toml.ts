/**
 * Parses TOML 1.0 into a tree of values with their places.
 *
 * The parser stops at the first syntax error: such a file has one fault, and none of its contents is used.
 * The parser needs a few milliseconds for each KiB, so a daemon that serves parses in a worker thread
 * (apart.ts). The tree can be copied between threads.
 *
 * `[table]`, `[[table]]`, dotted keys and inline tables differ only in syntax; in the tree they are equal.
 */
import { type AST, ParseError, parseTOML } from 'toml-eslint-parser';
import type { Finding, Place } from './findings.js';

/** A file and its text. */
export interface Source {
  readonly file: string;
  readonly text: string;
}

interface At {
  readonly at: Place;
}

export interface Table extends At {
  readonly kind: 'table';
  readonly entries: Map<string, Entry>;
}

export interface List extends At {
  readonly kind: 'list';
  readonly items: Value[];
}

export type Value =
  | Table
  | List
  | (At & { readonly kind: 'string'; readonly value: string })
  | (At & { readonly kind: 'integer'; readonly value: bigint })
  | (At & { readonly kind: 'boolean'; readonly value: boolean })
  /** No key of a policy has such a value. The value is kept as written. */
  | (At & { readonly kind: 'float' | 'date'; readonly value: string });

/** A key's place, and its value. */
export interface Entry extends At {
  readonly value: Value;
}

/** The tree of a text, or its syntax error. */
export type Parsed = { readonly root: Table } | { readonly fault: Finding };

export function parse({ file, text }: Source): Parsed {
  try {
    return { root: new Tree(file).table(parseTOML(text, { tomlVersion: '1.0' })) };
  } catch (failure) {
    if (failure instanceof ParseError) {
      const what = `invalid TOML: ${failure.message}.`;
      return { fault: { at: { file, ...whereMissing(text, failure) }, what } };
    }
    // A stack overflow: the parser is recursive.
    if (failure instanceof RangeError)
      return { fault: { at: { file }, what: 'tables or lists are nested too deeply.' } };
    throw failure;
  }
}

/**
 * The place of a syntax error. If something is missing at the end of a line, the parser reports the next
 * line; this reports the end of the line.
 */
function whereMissing(text: string, { index, lineNumber, column, message }: ParseError): Omit<Place, 'file'> {
  const before = text.slice(0, index).trimEnd();
  const ended = text.slice(before.length, index).includes('\n');
  if (!ended || !/^(Unspecified|Expected|Unterminated|The key, equals)/.test(message))
    return { line: lineNumber, column: column + 1 };
  const lines = before.split('\n');
  return { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 };
}

class Tree {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** The parser has already refused duplicate keys and tables that conflict with other values. */
  table(program: AST.TOMLProgram): Table {
    const root = this.#empty({ file: this.#file, line: 1, column: 1 });
    for (const part of program.body[0].body) {
      if (part.type === 'TOMLKeyValue') this.#put(root, part);
      else {
        const table = this.#open(root, part);
        for (const pair of part.body) this.#put(table, pair);
      }
    }
    return root;
  }

  /** The table of a header, [a.b] or [[a]]; created if it does not exist yet. */
  #open(root: Table, { key, resolvedKey }: AST.TOMLTable): Table {
    const places = key.keys.map((part) => this.#at(part));
    let at = root.at;
    let found: Table | List = root;
    for (const [index, step] of resolvedKey.entries()) {
      const next = typeof resolvedKey[index + 1] === 'number' ? 'list' : 'table';
      if (typeof step === 'string') at = places.shift() ?? at;
      found = this.#step(found, step, next, at);
    }
    return found as Table;
  }

  #step(from: Table | List, step: string | number, kind: 'table' | 'list', at: Place): Table | List {
    const found = from.kind === 'list' ? from.items[Number(step)] : from.entries.get(String(step))?.value;
    if (found) return found as Table | List;
    const made: Table | List = kind === 'list' ? { kind, at, items: [] } : this.#empty(at);
    if (from.kind === 'list') from.items.push(made);
    else from.entries.set(String(step), { at, value: made });
    return made;
  }

  #put(table: Table, { key, value }: AST.TOMLKeyValue): void {
    let into = table;
    for (const part of key.keys.slice(0, -1)) {
      into = this.#step(into, nameOf(part), 'table', this.#at(part)) as Table;
    }
    const last = key.keys.at(-1);
    if (last) into.entries.set(nameOf(last), { at: this.#at(last), value: this.#value(value) });
  }

  #value(node: AST.TOMLContentNode): Value {
    const at = this.#at(node);
    if (node.type === 'TOMLArray') {
      return { kind: 'list', at, items: node.elements.map((item) => this.#value(item)) };
    }
    if (node.type === 'TOMLInlineTable') {
      const table = this.#empty(at);
      for (const pair of node.body) this.#put(table, pair);
      return table;
    }
    if (node.kind === 'string') return { kind: 'string', at, value: node.value };
    if (node.kind === 'integer') return { kind: 'integer', at, value: node.bigint };
    if (node.kind === 'boolean') return { kind: 'boolean', at, value: node.value };
    return node.kind === 'float'
      ? { kind: 'float', at, value: node.number }
      : { kind: 'date', at, value: node.datetime };
  }

  #empty(at: Place): Table {
    return { kind: 'table', at, entries: new Map() };
  }

  #at({ loc }: AST.TOMLNode): Place {
    return { file: this.#file, line: loc.start.line, column: loc.start.column + 1 };
  }
}

const nameOf = (part: AST.TOMLBare | AST.TOMLQuoted): string =>
  part.type === 'TOMLBare' ? part.name : part.value;
