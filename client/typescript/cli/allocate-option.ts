/**
 * Allocations as people type them behind --allocate: 'name=frames,size=64M,kind=MAPPABLE+OPAQUE_FD', in any
 * order, each key once.
 */
import { type Draft, SHARING_NAMES, VkmemError } from '@vkmemd/proto';
import { checkKinds, checkWord } from '../request/arguments.js';
import { nameToClaim } from '../request/if-exists.js';
import { allocateRequest } from '../request/requests.js';
import { parseFlag, parseHints } from './hints.js';
import { parseSize } from './size.js';

const FLAGS = ['publishable', 'power-of-two', 'prefault', 'reopenable'] as const;
const VALUED = ['name', 'size', 'kind', 'lifetime', 'sharing', 'if-exists', 'align', 'huge-pages'] as const;
const KEYS = [...VALUED, ...FLAGS];
type Key = (typeof KEYS)[number];

const LABEL = /^[A-Za-z0-9._-]{1,128}$/;

/** One allocation that is wanted. */
export interface Wanted {
  /** What the program knows it by: its name, or, where it ends with the session, a word of its own. */
  readonly label: string;
  readonly request: Draft<'AllocateRequest'>;
  /** Whether an existing allocation of the name is used, if it fits. */
  readonly orExisting: boolean;
}

/** @throws VkmemError INVALID_ARGUMENT, INVALID_SIZE, INVALID_NAME, KIND_UNSUPPORTED. */
export function parseWanted(text: string): Wanted {
  const said = new Map<Key, string>();
  for (const part of text.split(',')) {
    const [, name, value = ''] = /^\s*([a-z-]+)(?:=(.*?))?\s*$/.exec(part) ?? [];
    const key = KEYS.find((known) => known === name);
    if (!key) throw wrong(`${JSON.stringify(part)} is no key; there are ${KEYS.join(', ')}.`);
    if (said.has(key)) throw wrong(`${key} comes twice.`);
    if (value === '' && !FLAGS.some((flag) => flag === key)) throw wrong(`${key} has no value.`);
    said.set(key, value);
  }
  const word = <T extends string>(key: Key, words: readonly T[], otherwise: T): T =>
    checkWord(`--allocate ${key}`, upper(said.get(key) || otherwise), words);
  const label = said.get('name');
  const size = said.get('size');
  if (label === undefined || size === undefined) throw wrong(`${JSON.stringify(text)} lacks name or size.`);
  if (!LABEL.test(label))
    throw new VkmemError('INVALID_NAME', `--allocate: the name is ${JSON.stringify(label)}.`);
  const lifetime = word('lifetime', ['NAMED', 'SESSION'], 'NAMED');
  const ifExists = word('if-exists', ['FAIL', 'CLAIM'], 'FAIL').toLowerCase();
  if (ifExists === 'claim' && lifetime === 'SESSION')
    throw wrong('if-exists=claim requires the lifetime NAMED.');
  const kinds = checkKinds(upper(said.get('kind') ?? 'MAPPABLE').split('+'));
  const named = lifetime === 'NAMED' ? { name: label } : {};
  const hints = parseHints({
    powerOfTwo: parseFlag('power-of-two', said.get('power-of-two')),
    align: said.get('align'),
    prefault: parseFlag('prefault', said.get('prefault')),
    hugePages: said.get('huge-pages'),
    reopenable: parseFlag('reopenable', said.get('reopenable')),
  });
  const request = allocateRequest(
    {
      size: parseSize(size),
      kinds,
      lifetime,
      ...named,
      ...(said.has('sharing') && { sharing: word('sharing', SHARING_NAMES, 'SHARED') }),
      publishable: parseFlag('publishable', said.get('publishable')),
      ...(hints && { hints }),
    },
    [],
  );
  return { label, request, orExisting: nameToClaim(ifExists, request) !== undefined };
}

/**
 * @throws VkmemError INVALID_ARGUMENT where two have one label, since the program could not distinguish them.
 */
export function parseAllWanted(texts: readonly string[]): Wanted[] {
  const all = texts.map(parseWanted);
  const twice = all.find(({ label }, at) => all.findIndex((other) => other.label === label) !== at);
  if (twice) throw wrong(`there are two of the name ${twice.label}.`);
  return all;
}

const upper = (word: string): string => word.toUpperCase().replaceAll('-', '_');

function wrong(reason: string): VkmemError {
  return new VkmemError('INVALID_ARGUMENT', `--allocate: ${reason}`, { field: 'allocate' });
}
