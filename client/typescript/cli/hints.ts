/**
 * Hints as people type them, as options of `alloc` and as keys of `exec --allocate`, and as they are shown
 * again.
 */
import { type Allocation, VkmemError } from '@vkmemd/proto';
import type { HintOptions } from '../request/hints.js';
import { humanBytes } from './format.js';
import { parseSize } from './size.js';

/** What was typed. */
export interface HintWords {
  readonly powerOfTwo?: boolean | undefined;
  readonly align?: string | undefined;
  readonly prefault?: boolean | undefined;
  readonly hugePages?: string | undefined;
  readonly reopenable?: boolean | undefined;
}

/** Undefined where nothing is asked for. @throws VkmemError INVALID_SIZE. */
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

/** For --json; null for none. */
export function hintsObject({ hints }: Allocation): object | null {
  if (!hints) return null;
  const { alignmentBytes, hugePageBytes, ...flags } = hints;
  return {
    ...flags,
    alignmentBytes: alignmentBytes === 0n ? null : alignmentBytes,
    hugePageBytes: hugePageBytes === 0n ? null : hugePageBytes,
  };
}

/** 'power of two, huge pages of 2 MiB'; '' for none. */
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

/** A key that is there or not, or says TRUE or FALSE. @throws VkmemError INVALID_ARGUMENT. */
export function parseFlag(key: string, value: string | undefined): boolean {
  if (value === undefined || /^false$/i.test(value)) return false;
  if (value === '' || /^true$/i.test(value)) return true;
  const reason = `--allocate ${key}: ${JSON.stringify(value)} is neither true nor false.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'allocate' });
}
