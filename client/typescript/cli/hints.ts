/**
 * Parses hints, which are options of `alloc` and keys of `exec --allocate`, and formats them.
 */
import { type Allocation, VkmemError } from '@vkmemd/proto';
import type { HintOptions } from '../request/hints.js';
import { humanBytes } from './format.js';
import { parseSize } from './size.js';

/** The values of the options. */
export interface HintWords {
  readonly powerOfTwo?: boolean | undefined;
  readonly align?: string | undefined;
  readonly prefault?: boolean | undefined;
  readonly hugePages?: string | undefined;
  readonly reopenable?: boolean | undefined;
}

/**
 * Parses the hints. Undefined if there are none.
 * @throws VkmemError INVALID_SIZE.
 */
export function parseHints(words: HintWords): HintOptions | undefined {
  const { powerOfTwo = false, align, prefault = false, hugePages, reopenable = false } = words;
  if (!powerOfTwo && align === undefined && !prefault && hugePages === undefined && !reopenable)
    return undefined;
  return {
    powerOfTwo,
    ...(align !== undefined && { alignment: parseSize(align) }),
    prefault,
    ...(hugePages !== undefined && { hugePages: parseSize(hugePages) }),
    reopenable,
  };
}

/** The hints for --json; null if there are none. */
export function hintsObject({ hints }: Allocation): object | null {
  if (!hints) return null;
  const { alignmentBytes, hugePageBytes, ...flags } = hints;
  return {
    ...flags,
    alignmentBytes: alignmentBytes === 0n ? null : alignmentBytes,
    hugePageBytes: hugePageBytes === 0n ? null : hugePageBytes,
  };
}

/** The hints as text, such as 'power of two, huge pages of 2 MiB'; '' if there are none. */
export function hintsText({ hints }: Allocation): string {
  if (!hints) return '';
  const { powerOfTwo, alignmentBytes, prefault, hugePageBytes, reopenable } = hints;
  return [
    powerOfTwo && 'power of two',
    alignmentBytes > 0n && `aligned to ${humanBytes(alignmentBytes)}`,
    prefault && 'prefaulted',
    hugePageBytes > 0n && `huge pages of ${humanBytes(hugePageBytes)}`,
    reopenable && 'reopenable',
  ]
    .filter(Boolean)
    .join(', ');
}

/**
 * Parses a key without a value, or with the value TRUE or FALSE; undefined means FALSE.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export function parseFlag(key: string, value: string | undefined): boolean {
  if (value === undefined || /^false$/i.test(value)) return false;
  if (value === '' || /^true$/i.test(value)) return true;
  const reason = `--allocate ${key}: ${JSON.stringify(value)} is neither true nor false.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'allocate' });
}
