/**
 * vkmemd --check-config: the policy, or all of its faults, as lines of text and as one object. Neither the
 * device nor the runtime folder is opened, so rules that depend on the sizes of heaps are not checked.
 */
import { type Finding, findingText, PolicyError } from './findings.js';
import { DEFAULT_LIMITS, type Limits } from './limits.js';
import { loadPolicy, type PolicySettings } from './load.js';
import type { Policy, Rule } from './policy.js';
import type { ByteTerm, Rights } from './rights.js';
import { type Key, type Keys, LIMIT_KEYS, MATCH_KEYS, RIGHT_KEYS } from './schema.js';

export interface Report {
  /** Whether the daemon would start with this policy. */
  readonly well: boolean;
  readonly object: object;
  readonly lines: readonly string[];
}

const NOTES = ['Reserved bytes are not compared with the sizes of the heaps: that requires the device.'];

export async function checkPolicy(settings: PolicySettings): Promise<Report> {
  try {
    const { policy, warnings } = await loadPolicy(settings);
    return wellReport(policy, warnings);
  } catch (failure) {
    if (!(failure instanceof PolicyError)) throw failure;
    const { faults, warnings } = failure.findings;
    const count = `${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}: the policy is invalid.`;
    return {
      well: false,
      object: { well: false, faults: faults.map(findingObject), warnings: warnings.map(findingObject) },
      lines: [...faults.map(findingText), ...warnings.map(warningText), count],
    };
  }
}

const findingObject = ({ at, what }: Finding) => ({ ...at, message: what });
const warningText = (warning: Finding) => findingText({ ...warning, what: `warning: ${warning.what}` });

function wellReport(policy: Policy, warnings: readonly Finding[]): Report {
  const { files, pressure, overcommit } = policy;
  const rules = policy.rules.map(ruleObject);
  const limits = limitsObject(policy.limits);
  const notes = rules.some(({ gives }) => RIGHT_KEYS.reservedBytes.key in gives) ? NOTES : [];
  const changed = Object.entries(limitsObject(DEFAULT_LIMITS))
    .filter(([key, value]) => limits[key] !== value)
    .map(([key]) => `${key} = ${limits[key]}`);
  return {
    well: true,
    object: {
      well: true,
      files,
      rules,
      limits,
      pressure,
      overcommit,
      warnings: warnings.map(findingObject),
      notes,
    },
    lines: [
      files.length === 0
        ? 'No files: the defaults are in force.'
        : 'Files, in the order in which they are read:',
      ...files.map((file) => `  ${file}`),
      rules.length === 0 ? 'Only the built-in rules.' : 'Rules, applied after the built-in ones:',
      ...rules.map(({ where, matches, gives }) => `  ${where}: ${matchText(matches)}: ${givesText(gives)}`),
      `Limits: ${changed.length === 0 ? 'the defaults' : changed.join(', ')}.`,
      `Pressure: ELEVATED from ${pressure.elevated} % of a heap, CRITICAL from ${pressure.critical} %.`,
      `Reservations may ${overcommit ? '' : 'not '}add up to more than a heap.`,
      ...notes,
      ...warnings.map(warningText),
      'The policy is valid.',
    ],
  };
}

type Matches = Record<string, readonly (number | string)[]>;

/** Values as a policy has them. */
type Shown =
  | boolean
  | number
  | string
  | readonly (number | string)[]
  | Readonly<Record<string, number | string>>;
type Gives = Readonly<Record<string, Shown>>;

function ruleObject({ where, match, gives }: Rule): { where: string; matches: Matches; gives: Gives } {
  const { uids, gids, groups, units } = match;
  const matches: Matches = {
    ...(uids && { [MATCH_KEYS.uids.key]: [...uids] }),
    ...(gids && { [MATCH_KEYS.gids.key]: [...gids] }),
    ...(groups && { [MATCH_KEYS.groups.key]: [...groups] }),
    ...(units && { [MATCH_KEYS.units.key]: units.map(({ text }) => text) }),
  };
  const given = Object.entries<Key<unknown>>(RIGHT_KEYS).filter(([right]) => right in gives);
  const shownRight = (right: string) => shownValue(gives[right as keyof Rights]);
  return {
    where,
    matches,
    gives: Object.fromEntries(given.map(([right, { key }]) => [key, shownRight(right)])),
  };
}

function shownValue(value: Rights[keyof Rights]): Shown {
  if (value === undefined) return 'unlimited';
  if (typeof value !== 'object') return value;
  if (!('every' in value)) return [...value];
  const { every, heaps } = value;
  if (!heaps || heaps.size === 0) return shownTerm(every);
  const table = [...heaps].map(([heap, term]) => [heap, shownTerm(term)]);
  return { default: shownTerm(every), ...Object.fromEntries(table) };
}

/** Bytes above 2^53 as a string, which a policy accepts too. */
function shownTerm(term: ByteTerm): number | string {
  if (typeof term === 'string') return term;
  if ('percent' in term) return `${term.percent}%`;
  return term.bytes <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(term.bytes) : String(term.bytes);
}

/** As in a policy, in one line. */
function givesText(gives: Gives): string {
  const text = (value: Shown): string => {
    if (typeof value !== 'object') return JSON.stringify(value);
    if (Array.isArray(value)) return `[${value.map(text).join(', ')}]`;
    const parts = Object.entries<number | string>(value as Record<string, number | string>);
    return `{ ${parts.map(([key, part]) => `${key} = ${text(part)}`).join(', ')} }`;
  };
  return Object.entries(gives)
    .map(([key, value]) => `${key} = ${text(value)}`)
    .join(', ');
}

function matchText(matches: Matches): string {
  const parts = Object.entries(matches).map(([key, values]) => `${key} ${values.join(' or ') || '(none)'}`);
  return parts.length === 0 ? 'all peers' : parts.join(' and ');
}

function limitsObject(limits: Limits): Record<string, number> {
  const keys = Object.entries(LIMIT_KEYS satisfies Keys<Limits>) as [keyof Limits, Key<number>][];
  return Object.fromEntries(keys.map(([limit, { key }]) => [key, limits[limit]]));
}
