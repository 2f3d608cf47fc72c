/**
 * Parses the values of --allocate: 'name=frames,size=64M,kind=MAPPABLE+OPAQUE_FD', with the keys in any
 * order, each of them once.
 */
import { DEDICATION_NAMES, type Draft, SHARING_NAMES, VkmemError } from '@vkmemd/proto';
import { checkKinds, checkWord } from '../request/arguments.js';
import { nameToClaim } from '../request/if-exists.js';
import { allocateRequest } from '../request/requests.js';
import { parseFlag, parseHints } from './hints.js';
import { parseSize } from './size.js';

const FLAGS = ['publishable', 'power-of-two', 'prefault', 'reopenable'] as const;
const VALUED = [
  'name',
  'size',
  'kind',
  'lifetime',
  'sharing',
  'if-exists',
  'align',
  'huge-pages',
  'dedicated',
] as const;
const KEYS = [...VALUED, ...FLAGS];
type Key = (typeof KEYS)[number];

/** A name, or UID/NAME for memory of another user. */
const LABEL = /^(?:(\d{1,10})\/)?([A-Za-z0-9._-]{1,128})$/;

/** One requested allocation. */
export interface Wanted {
  /**
   * The label by which the program finds it: its name, UID/NAME for memory of another user, or any word if it
   * ends with the session.
   */
  readonly label: string;
  readonly request: Draft<'AllocateRequest'>;
  /** Whether an existing allocation of the name is used if it fits. */
  readonly orExisting: boolean;
  /** Whether it is memory of another user, which is never allocated. */
  readonly foreign: boolean;
}

/**
 * Parses one value.
 * @throws VkmemError INVALID_ARGUMENT, INVALID_SIZE, INVALID_NAME, KIND_UNSUPPORTED.
 */
export function parseWanted(text: string): Wanted {
  const values = new Map<Key, string>();
  for (const part of text.split(',')) {
    const [, name, value = ''] = /^\s*([a-z-]+)(?:=(.*?))?\s*$/.exec(part) ?? [];
    const key = KEYS.find((known) => known === name);
    if (!key) throw wrong(`${JSON.stringify(part)} does not begin with one of the keys ${KEYS.join(', ')}.`);
    if (values.has(key)) throw wrong(`the key ${key} occurs twice.`);
    if (value === '' && !FLAGS.some((flag) => flag === key)) throw wrong(`the key ${key} has no value.`);
    values.set(key, value);
  }
  const word = <T extends string>(key: Key, words: readonly T[], otherwise: T): T =>
    checkWord(`--allocate ${key}`, upper(values.get(key) || otherwise), words);
  const label = values.get('name');
  const size = values.get('size');
  if (label === undefined || size === undefined) throw wrong(`${JSON.stringify(text)} lacks name or size.`);
  const [, owner, name] = LABEL.exec(label) ?? [];
  if (name === undefined)
    throw new VkmemError('INVALID_NAME', `--allocate: the name ${JSON.stringify(label)} is invalid.`);
  const lifetime = word('lifetime', ['NAMED', 'SESSION'], 'NAMED');
  const ifExists = word('if-exists', ['FAIL', 'CLAIM'], 'FAIL').toLowerCase();
  if (ifExists === 'claim' && lifetime === 'SESSION')
    throw wrong('if-exists=claim requires the lifetime NAMED.');
  const foreign = owner !== undefined;
  if (foreign && ifExists !== 'claim')
    throw wrong(`${label} is memory of another user, which is not allocated; add if-exists=claim to use it.`);
  const kinds = checkKinds(upper(values.get('kind') ?? 'MAPPABLE').split('+'));
  const named = lifetime === 'NAMED' ? { name } : {};
  const hints = parseHints({
    powerOfTwo: parseFlag('power-of-two', values.get('power-of-two')),
    align: values.get('align'),
    prefault: parseFlag('prefault', values.get('prefault')),
    hugePages: values.get('huge-pages'),
    reopenable: parseFlag('reopenable', values.get('reopenable')),
  });
  const request = allocateRequest(
    {
      size: parseSize(size),
      kinds,
      lifetime,
      ...named,
      ...(values.has('sharing') && { sharing: word('sharing', SHARING_NAMES, 'SHARED') }),
      publishable: parseFlag('publishable', values.get('publishable')),
      ...(values.has('dedicated') && { dedication: word('dedicated', DEDICATION_NAMES, 'AUTO') }),
      ...(hints && { hints }),
    },
    [],
  );
  return { label, request, orExisting: nameToClaim(ifExists, request) !== undefined, foreign };
}

/**
 * Parses all values.
 * @throws VkmemError INVALID_ARGUMENT if two have the same label, which the program could not distinguish.
 */
export function parseAllWanted(texts: readonly string[]): Wanted[] {
  const all = texts.map(parseWanted);
  const twice = all.find(({ label }, at) => all.findIndex((other) => other.label === label) !== at);
  if (twice) throw wrong(`the name ${twice.label} occurs twice.`);
  return all;
}

const upper = (word: string): string => word.toUpperCase().replaceAll('-', '_');

function wrong(reason: string): VkmemError {
  return new VkmemError('INVALID_ARGUMENT', `--allocate: ${reason}`, { field: 'allocate' });
}
