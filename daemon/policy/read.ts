/**
 * Reads the tree of one file by the schema: its settings and rules, and all of its faults.
 */
import { type Findings, type Place, placeText, quoted } from './findings.js';
import type { Limits } from './limits.js';
import type { Database, Names, Wanted } from './names.js';
import { meant } from './nearest.js';
import type { Match, Rule, Thresholds } from './policy.js';
import type { Rights } from './rights.js';
import {
  type Key,
  type Keys,
  LIMIT_KEYS,
  MATCH_KEYS,
  namesOf,
  PRESSURE_KEYS,
  RIGHT_KEYS,
  TABLES,
  TOP_KEYS,
} from './schema.js';
import { surelyMore, termsOn } from './sizes.js';
import type { Entry, Table, Value } from './toml.js';
import { REFUSED, shown } from './values.js';

/** A rule and its place. */
export interface ReadRule {
  readonly at: Place;
  readonly rule: Rule;
}

/** The settings and rules of one file. */
export interface FileTerms {
  readonly overcommit: boolean | undefined;
  readonly limits: Partial<Limits>;
  readonly pressure: Partial<Thresholds>;
  /** The places where the thresholds are set. */
  readonly pressureAt: ReadonlyMap<keyof Thresholds, Place>;
  readonly rules: readonly ReadRule[];
}

/** The names of users and groups in a file's rules. */
export function namesIn(root: Table): Wanted {
  const wanted: Record<Database, Set<string>> = { passwd: new Set(), group: new Set() };
  const keys = Object.values<Key<unknown>>({ ...MATCH_KEYS, ...RIGHT_KEYS });
  for (const rule of itemsOf(root.entries.get('rule')?.value)) {
    if (rule.kind !== 'table') continue;
    for (const { key, reader } of keys) {
      if (!reader.names) continue;
      for (const item of itemsOf(rule.entries.get(key)?.value)) {
        if (item.kind === 'string') wanted[reader.names].add(item.value);
      }
    }
  }
  return wanted;
}

/** The items of a list; any other value counts as a list of one item. */
function itemsOf(value: Value | undefined): readonly Value[] {
  if (value === undefined) return [];
  return value.kind === 'list' ? value.items : [value];
}

export function readFile(root: Table, names: Names, findings: Findings): FileTerms {
  return new FileReader(names, findings).file(root);
}

class FileReader {
  readonly #names: Names;
  readonly #findings: Findings;

  constructor(names: Names, findings: Findings) {
    this.#names = names;
    this.#findings = findings;
  }

  file(root: Table): FileTerms {
    this.#onlyKnown(root, [...namesOf(TOP_KEYS), ...TABLES], '');
    const { overcommit } = this.#keys(root, TOP_KEYS);
    const limits = this.#section(root, 'limits', LIMIT_KEYS);
    const pressure = this.#section(root, 'pressure', PRESSURE_KEYS);
    const pressureAt = new Map<keyof Thresholds, Place>();
    for (const part of ['elevated', 'critical'] as const) {
      const at = pressure.table?.entries.get(PRESSURE_KEYS[part].key)?.value.at;
      if (at) pressureAt.set(part, at);
    }
    return {
      overcommit,
      limits: limits.terms,
      pressure: pressure.terms,
      pressureAt,
      rules: this.#rules(root),
    };
  }

  /** The terms of the table [name]; empty if the file has no such table. */
  #section<T>(root: Table, name: string, keys: Keys<T>): { terms: Partial<T>; table?: Table } {
    const entry = root.entries.get(name);
    if (!entry) return { terms: {} };
    const { value } = entry;
    if (value.kind !== 'table') {
      this.#findings.fault(entry.at, `${name}: ${shown(value)}; allowed: a table, [${name}].`);
      return { terms: {} };
    }
    this.#onlyKnown(value, namesOf(keys), ` of [${name}]`);
    return { terms: this.#keys(value, keys), table: value };
  }

  #rules(root: Table): ReadRule[] {
    const entry = root.entries.get('rule');
    if (!entry) return [];
    const rules: ReadRule[] = [];
    for (const item of entry.value.kind === 'list' ? entry.value.items : [entry.value]) {
      if (item.kind === 'table' && entry.value.kind === 'list') rules.push(this.#rule(item));
      else this.#findings.fault(item.at, `rule: ${shown(item)}; allowed: tables in a list, [[rule]].`);
    }
    return rules;
  }

  #rule(table: Table): ReadRule {
    this.#onlyKnown(table, [...namesOf(MATCH_KEYS), ...namesOf(RIGHT_KEYS)], ' of a rule');
    const match: Match = this.#keys(table, MATCH_KEYS);
    const gives = this.#keys(table, RIGHT_KEYS);
    this.#checkReservation(table, gives);
    const { file, line } = table.at;
    const where = placeText({ file, ...(line !== undefined && { line }) });
    return { at: table.at, rule: { where, at: { file, ...(line !== undefined && { line }) }, match, gives } };
  }

  /** A user cannot have more bytes reserved than max_bytes allows. */
  #checkReservation(table: Table, { maxBytes, reservedBytes }: Partial<Rights>): void {
    const entry = table.entries.get(RIGHT_KEYS.reservedBytes.key);
    if (!entry || !maxBytes || !reservedBytes) return;
    const heaps = [
      ...(maxBytes.heaps?.keys() ?? []),
      ...(reservedBytes.heaps?.keys() ?? []),
      'every',
    ] as const;
    const above = heaps.find((heap) => surelyMore(termsOn(reservedBytes, heap), termsOn(maxBytes, heap)));
    if (above === undefined) return;
    const where = above === 'every' ? '' : ` on heap ${above}`;
    this.#findings.fault(
      entry.value.at,
      `reserved_bytes: more bytes are reserved${where} than max_bytes allows; allowed: at most max_bytes.`,
    );
  }

  #onlyKnown(table: Table, known: readonly string[], where: string): void {
    for (const [key, { at }] of table.entries) {
      if (known.includes(key)) continue;
      const keys = known.join(', ');
      this.#findings.fault(at, `unknown key ${quoted(key)}${where}.${meant(key, known)} Allowed: ${keys}.`);
    }
  }

  /** The values of these keys; values with faults are omitted. */
  #keys<T>(table: Table, keys: Keys<T>): Partial<T> {
    const terms: Partial<T> = {};
    for (const [part, { key, reader }] of Object.entries(keys) as [keyof T, Key<T[keyof T]>][]) {
      const entry = table.entries.get(key);
      const value = entry && this.#value(key, reader, entry);
      if (entry && value !== REFUSED) terms[part] = value as T[keyof T];
    }
    return terms;
  }

  #value<T>(key: string, reader: Key<T>['reader'], { value }: Entry): T | typeof REFUSED {
    const problem = (at: Place, what: string) =>
      this.#findings.fault(at, `${key}: ${what}; allowed: ${reader.allowed}.`);
    return reader.read(value, { names: this.#names, problem });
  }
}
