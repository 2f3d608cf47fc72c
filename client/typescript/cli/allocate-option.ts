/**
 * Allocations as people type them behind --allocate: 'name=frames,size=64M,kind=MAPPABLE+OPAQUE_FD', in any
 * order, each key once.
 */
import { type Allocation, type Draft, SHARING_NAMES, VkmemError } from '@vkmemd/proto';
import { checkKinds, checkWord } from '../request/arguments.js';
import { allocateRequest } from '../request/requests.js';
import { lackedHints, parseFlag, parseHints } from './hints.js';
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
  /** Whether one that has the name already will do, if it fits. */
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
  const orExisting = word('if-exists', ['FAIL', 'CLAIM'], 'FAIL') === 'CLAIM';
  if (orExisting && lifetime === 'SESSION') throw wrong('with lifetime=session nothing of that name exists.');
  const kinds = checkKinds(upper(said.get('kind') ?? 'MAPPABLE').split('+'));
  const named = lifetime === 'NAMED' ? { name: label } : {};
  const hints = parseHints({
    powerOfTwo: parseFlag('power-of-two', said.get('power-of-two')),
    align: said.get('align'),
    prefault: parseFlag('prefault', said.get('prefault')),
    hugePages: said.get('huge-pages'),
    reopenable: parseFlag('reopenable', said.get('reopenable')),
  });
  const wanted = { size: parseSize(size), kinds, lifetime, ...named, ...(hints && { hints }) };
  const request: Draft<'AllocateRequest'> = {
    ...allocateRequest(wanted, []),
    sharing: said.has('sharing')
      ? (`SHARING_${word('sharing', SHARING_NAMES, 'SHARED')}` as const)
      : 'SHARING_UNSPECIFIED',
    publishable: parseFlag('publishable', said.get('publishable')),
  };
  return { label, request, orExisting };
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

/**
 * That an allocation which has the name already is as good as the one that is wanted: no smaller, of all the
 * kinds, with all the hints.
 * @throws VkmemError NAME_TAKEN, with what it lacks.
 */
export function requireFit({ label, request }: Wanted, existing: Allocation): void {
  const sharing = existing.sharing === 'SHARING_UNSPECIFIED' ? 'SHARING_SHARED' : existing.sharing;
  const lacks = [
    existing.sizeBytes < BigInt(request.sizeBytes ?? 0) && `it has ${existing.sizeBytes} bytes`,
    ...(request.kinds ?? []).map(
      (kind) => !existing.kinds.some((has) => has === kind) && `it is not for ${kind}`,
    ),
    request.sharing !== 'SHARING_UNSPECIFIED' && sharing !== request.sharing && `its sharing is ${sharing}`,
    request.publishable && !existing.publishable && 'it cannot be published',
    ...lackedHints(request.hints, existing),
  ].filter((lack) => lack !== false && lack !== undefined);
  if (lacks.length > 0) throw new VkmemError('NAME_TAKEN', `${label} exists, but ${lacks.join(', ')}.`);
}

const upper = (word: string): string => word.toUpperCase().replaceAll('-', '_');

function wrong(reason: string): VkmemError {
  return new VkmemError('INVALID_ARGUMENT', `--allocate: ${reason}`, { field: 'allocate' });
}
