/**
 * Hints: requirements of a virtual machine besides size and memory type, and how they round a size.
 *
 * A power of two and an alignment concern only the size, because memory begins at offset 0 of its fd. They
 * apply to every kind. Prefaulted pages, huge pages and reopening are properties of a memfd; these hints are
 * refused if the memory is not a memfd.
 */
import { type KindName, VkmemError } from '@vkmemd/proto';
import { kindUnsupported } from './kinds.js';

/** MemoryHints of the contract; sizes are in bytes, 0n for none. */
export interface Hints {
  readonly powerOfTwo: boolean;
  readonly alignment: bigint;
  readonly prefault: boolean;
  readonly hugePage: bigint;
  readonly reopenable: boolean;
}

/** The smallest power of two that is not smaller than `size`. */
function powerOfTwoFor(size: bigint): bigint {
  return size <= 1n ? 1n : 1n << BigInt((size - 1n).toString(2).length);
}

/**
 * `size` in bytes, rounded up to whole units and as the hints require.
 * @param unit A power of two, as the hints' sizes are.
 */
export function roundFor(size: bigint, unit: bigint, hints: Hints | undefined): bigint {
  const steps = hints ? [unit, hints.alignment, hints.hugePage] : [unit];
  const step = steps.reduce((max, bytes) => (bytes > max ? bytes : max));
  const whole = ((size + step - 1n) / step) * step;
  return hints?.powerOfTwo ? powerOfTwoFor(whole) : whole;
}

/** Whether the hints restrict a size more than to whole pages. */
export function boundsSize(hints: Hints | undefined): hints is Hints {
  return hints !== undefined && (hints.powerOfTwo || hints.alignment > 0n);
}

/** The name of a hint that only a memfd can satisfy; undefined if there is none. */
export function onlyByMemfd(hints: Hints | undefined): string | undefined {
  if (!hints) return undefined;
  if (hints.prefault) return 'prefault';
  if (hints.hugePage > 0n) return 'huge_page_bytes';
  return hints.reopenable ? 'reopenable' : undefined;
}

/**
 * Refuses hints that only a memfd can satisfy, if the memory is not one.
 * @param mappableBy What MAPPABLE memory can be on this device.
 * @throws VkmemError INVALID_ARGUMENT for memory that is not MAPPABLE, KIND_UNSUPPORTED if MAPPABLE memory is
 *   not a memfd on this device.
 */
export function requireHinted(
  hints: Hints | undefined,
  kinds: readonly KindName[],
  mappableBy: readonly string[],
): void {
  const asked = onlyByMemfd(hints);
  if (!asked || (kinds.includes('MAPPABLE') && mappableBy.includes('memfd'))) return;
  if (kinds.includes('MAPPABLE')) {
    throw kindUnsupported(
      `MAPPABLE with ${asked}`,
      `only a memfd supports it, and on this device MAPPABLE memory is a ${mappableBy.join(' or ')}.`,
    );
  }
  const reason = `The hint ${asked} requires the kind MAPPABLE; requested: ${kinds.join(', ')}.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: `hints.${asked}` });
}

/** Whether memory is on huge pages. A process that may write to such memory can also punch holes into it. */
export const onHugePages = ({ hints }: { readonly hints?: Hints | undefined }): boolean =>
  (hints?.hugePage ?? 0n) > 0n;
