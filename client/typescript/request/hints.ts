/**
 * Converts the hints of callers, which are requirements of virtual machines on memory, to the message of the
 * contract.
 */
import { type Allocation, type Draft, VkmemError } from '@vkmemd/proto';
import { type Bytes, checkSize, describe } from './arguments.js';

/**
 * Requirements of virtual machines on memory. All but the first two are for MAPPABLE memory over a memfd. A
 * hint that cannot be met is refused, not ignored.
 */
export interface HintOptions {
  /** The size is rounded up to a power of two, as that of a PCI BAR must be. */
  readonly powerOfTwo?: boolean;
  /**
   * Bytes, a power of two, at most 1 GiB: the size is rounded up to a multiple of it. The memory begins at
   * the start of its fd.
   */
  readonly alignment?: Bytes;
  /**
   * Every page is in memory and zeroed when the request is answered. The page tables of a mapping are still
   * filled on access.
   */
  readonly prefault?: boolean;
  /** The size of the memory's huge pages, in bytes if a number. The host must have reserved the pages. */
  readonly hugePages?: '2M' | '1G' | Bytes;
  /**
   * A process that has an fd can reopen the memory through /proc, also for writing, as QEMU's
   * memory-backend-file does. Read-only grants are then ADVISORY.
   */
  readonly reopenable?: boolean;
}

const HUGE_PAGES: Readonly<Record<string, bigint>> = { '2M': 1n << 21n, '1G': 1n << 30n };

/**
 * Checks the hints, and converts them.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export function hintFields(hints: HintOptions | undefined): Pick<Draft<'AllocateRequest'>, 'hints'> {
  if (hints === undefined) return {};
  if (typeof hints !== 'object' || hints === null) throw wrong('hints', hints, 'an object');
  const { powerOfTwo, alignment, prefault, hugePages, reopenable } = hints;
  return {
    hints: {
      powerOfTwo: flag('powerOfTwo', powerOfTwo),
      alignmentBytes: alignment === undefined ? 0n : bytes('alignment', alignment),
      prefault: flag('prefault', prefault),
      hugePageBytes:
        hugePages === undefined ? 0n : bytes('hugePages', HUGE_PAGES[String(hugePages)] ?? hugePages),
      reopenable: flag('reopenable', reopenable),
    },
  };
}

/** The requested hints that an existing allocation does not meet, each as a clause for an error text. */
export function missingHints(wanted: Draft<'AllocateRequest'>['hints'], existing: Allocation): string[] {
  if (!wanted) return [];
  const { sizeBytes: size, hints } = existing;
  const alignment = BigInt(wanted.alignmentBytes ?? 0);
  const hugePage = BigInt(wanted.hugePageBytes ?? 0);
  const missing = [
    wanted.powerOfTwo && (size & (size - 1n)) !== 0n && 'its size is not a power of two',
    alignment > 0n && size % alignment !== 0n && `its size is not aligned to ${alignment}`,
    wanted.prefault && !hints?.prefault && 'it is not prefaulted',
    hugePage > 0n && hints?.hugePageBytes !== hugePage && `it does not have huge pages of ${hugePage} bytes`,
    wanted.reopenable && !hints?.reopenable && 'it is not reopenable',
  ];
  return missing.filter((hint) => typeof hint === 'string');
}

function flag(field: string, value: boolean | undefined): boolean {
  if (value === undefined || typeof value === 'boolean') return value === true;
  throw wrong(`hints.${field}`, value, 'true or false');
}

function bytes(field: string, value: Bytes | string): bigint {
  if (typeof value === 'string') throw wrong(`hints.${field}`, value, 'a number of bytes from 1 to 2^63 - 1');
  try {
    return checkSize(value);
  } catch (failure) {
    throw wrong(`hints.${field}`, value, 'a number of bytes from 1 to 2^63 - 1', failure);
  }
}

function wrong(field: string, value: unknown, wanted: string, cause?: unknown): VkmemError {
  const reason = `${field}: ${describe(value)} is not ${wanted}.`;
  return new VkmemError('INVALID_ARGUMENT', reason, { field }, cause);
}
