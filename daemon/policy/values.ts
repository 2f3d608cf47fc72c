/**
 * The values of a policy's keys: booleans, integers, words, lists of them, users and groups, patterns.
 *
 * A reader has a description of the allowed values, which faults and the documentation share. It converts a
 * value for the policy, or reports every fault of the value and returns REFUSED.
 */
import { type Place, quoted } from './findings.js';
import type { Database, Names } from './names.js';
import { nearest } from './nearest.js';
import type { Value } from './toml.js';
import { UnitPattern } from './unit-pattern.js';

export const REFUSED = Symbol('refused');
export type Read<T> = T | typeof REFUSED;

/** The context that readers get besides the value. */
export interface Context {
  readonly names: Names;
  problem(at: Place, what: string): void;
}

export interface Reader<T> {
  readonly allowed: string;
  /** The database of the names that the key allows. They are looked up before the values are read. */
  readonly names?: Database;
  read(value: Value, context: Context): Read<T>;
}

const KINDS: Readonly<Record<Value['kind'], string>> = {
  string: 'a string',
  integer: 'an integer',
  boolean: 'a boolean',
  float: 'a fraction',
  date: 'a date',
  list: 'a list',
  table: 'a table',
};

/** A value as shown in a fault. */
function plainly(value: Value): string {
  if (value.kind === 'list' || value.kind === 'table') return 'this';
  return value.kind === 'string' ? quoted(value.value) : String(value.value);
}

/** Such as '"many" is a string'. */
export const shown = (value: Value): string => `${plainly(value)} is ${KINDS[value.kind]}`;

export function refuse(value: Value, { problem }: Context, what = shown(value)): typeof REFUSED {
  problem(value.at, what);
  return REFUSED;
}

export const boolean: Reader<boolean> = {
  allowed: 'true or false',
  read: (value, context) => (value.kind === 'boolean' ? value.value : refuse(value, context)),
};

/** An integer from `least` to `max`, inclusive. */
export function whole(least: number, max: number): Reader<number> {
  return {
    allowed: `an integer from ${least} to ${max}`,
    read: (value, context) => {
      if (value.kind !== 'integer') return refuse(value, context);
      const fits = value.value >= BigInt(least) && value.value <= BigInt(max);
      if (fits) return Number(value.value);
      return refuse(value, context, `${value.value} is too ${value.value < least ? 'small' : 'large'}`);
    },
  };
}

/** A count, or no limit. */
export function countOrUnlimited(max: number): Reader<number | undefined> {
  const count = whole(0, max);
  return {
    allowed: `${count.allowed}, or "unlimited"`,
    read: (value, context) =>
      value.kind === 'string' && value.value === 'unlimited' ? undefined : count.read(value, context),
  };
}

/** One of the given words. */
export function word<W extends string>(words: readonly W[]): Reader<W> {
  return {
    allowed: words.map((one) => `"${one}"`).join(' or '),
    read: (value, context) => {
      if (value.kind !== 'string') return refuse(value, context);
      const found = words.find((one) => one === value.value);
      const near = nearest(value.value, words);
      const hint = near === undefined ? '' : ` (did you mean "${near}"?)`;
      return found ?? refuse(value, context, `${quoted(value.value)} is unknown${hint}`);
    },
  };
}

/** A list without duplicates; one element may be written without brackets. */
export function setOf<T>(one: Reader<T>, allowed: string, same: (item: T) => unknown): Reader<readonly T[]> {
  return {
    allowed,
    ...(one.names && { names: one.names }),
    read: (value, context) => {
      const items = value.kind === 'list' ? value.items : [value];
      const found = new Map<unknown, T>();
      let refused = false;
      for (const item of items) {
        const read = one.read(item, context);
        if (read === REFUSED) refused = true;
        else if (found.has(same(read))) {
          refuse(item, context, `${plainly(item)} is given twice`);
          refused = true;
        } else found.set(same(read), read);
      }
      return refused ? REFUSED : [...found.values()];
    },
  };
}

/** The same values as a set. */
export function asSet<T>({ read, ...list }: Reader<readonly T[]>): Reader<ReadonlySet<T>> {
  return {
    ...list,
    read: (value, context) => {
      const items = read(value, context);
      return items === REFUSED ? REFUSED : new Set(items);
    },
  };
}

/** A set of the given words. */
export function words<W extends string>(known: readonly W[]): Reader<ReadonlySet<W>> {
  return asSet(setOf(word(known), `a list of ${known.map((one) => `"${one}"`).join(', ')}`, (item) => item));
}

/** The largest valid id; (uid_t)-1 is not valid. */
const MAX_ID = 0xfffffffe;

/** Ids of users or groups, by number or name. */
export function ids(names: Database): Reader<ReadonlySet<number>> {
  const what = names === 'passwd' ? 'user' : 'group';
  const number = whole(0, MAX_ID);
  const one: Reader<number> = {
    allowed: '',
    names,
    read: (value, context) => {
      if (value.kind !== 'string') return number.read(value, context);
      const id = context.names.idOf(names, value.value);
      return typeof id === 'number' ? id : refuse(value, context, id);
    },
  };
  const allowed = `a ${what} name or ${what === 'user' ? 'uid' : 'gid'} (0 to ${MAX_ID}), or a list of them`;
  return asSet(setOf(one, allowed, (id) => id));
}

/** Patterns over the names of systemd units. */
export const unitPatterns: Reader<readonly UnitPattern[]> = setOf(
  {
    allowed: '',
    read: (value, context) => {
      if (value.kind !== 'string') return refuse(value, context);
      return (
        UnitPattern.of(value.value) ??
        refuse(value, context, `${quoted(value.value)} cannot match the name of a unit`)
      );
    },
  },
  'a unit name such as "worker@*.service" (* matches any text, ? one character), or a list of them',
  ({ text }) => text,
);
