/**
 * Hints: what a virtual machine needs of memory beside its size and type, and what they make of a size.
 *
 * A power of two and an alignment are a matter of the size alone, since memory begins at the start of its fd: they hold for
 * every kind. Prefaulted, huge and reopenable pages are a memfd's: they are refused where the memory is none.
 */
import { type KindName, VkmemError } from '@vkmemd/proto';
import { kindUnsupported } from './kinds.js';

/** As MemoryHints of the contract; bytes are 0n for none. */
export interface Hints {
  readonly powerOfTwo: boolean;
  readonly alignment: bigint;
  readonly prefault: boolean;
  readonly hugePage: bigint;
  readonly reopenable: boolean;
}

/** The next power of two that is no smaller. */
function powerOfTwoFor(size: bigint): bigint {
  return size <= 1n ? 1n : 1n << BigInt((size - 1n).toString(2).length);
}

/**
 * `size` rounded up to whole units, and to what the hints ask for.
 * @param unit a power of two, as all that is asked for.
 */
export function roundFor(size: bigint, unit: bigint, hints: Hints | undefined): bigint {
  const steps = hints ? [unit, hints.alignment, hints.hugePage] : [unit];
  const step = steps.reduce((max, bytes) => (bytes > max ? bytes : max));
  const whole = ((size + step - 1n) / step) * step;
  return hints?.powerOfTwo ? powerOfTwoFor(whole) : whole;
}

/** Whether they say more of a size than that it is whole pages. */
export function boundsSize(hints: Hints | undefined): hints is Hints {
  return hints !== undefined && (hints.powerOfTwo || hints.alignment > 0n);
}

/**
 * Refuses what only a memfd can have.
 * @param mappableBy what MAPPABLE memory is on this device.
 * @throws VkmemError INVALID_ARGUMENT for memory that is not MAPPABLE, KIND_UNSUPPORTED where that is no memfd here.
 */
export function requireHinted(
  hints: Hints | undefined,
  kinds: readonly KindName[],
  mappableBy: string | undefined,
): void {
  const asked = [
    hints?.prefault && 'prefault',
    (hints?.hugePage ?? 0n) > 0n && 'huge_page_bytes',
    hints?.reopenable && 'reopenable',
  ].find((name) => typeof name === 'string');
  if (!asked || (kinds.includes('MAPPABLE') && mappableBy === 'memfd')) return;
  if (kinds.includes('MAPPABLE')) {
    throw kindUnsupported(`MAPPABLE with ${asked}`, `that is for a memfd, and here it is a ${mappableBy}.`);
  }
  const reason = `The hint ${asked} is for MAPPABLE memory; this is for ${kinds.join(', ')}.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: `hints.${asked}` });
}
