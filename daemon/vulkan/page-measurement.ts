/**
 * The measurement of a device's pages: how long the driver takes to allocate and free exportable memory, plain and
 * dedicated to a transfer buffer.
 *
 * Some drivers map plain exportable memory with small pages and dedicated memory with large ones, and do not report
 * it as a preference. An H200 (580.159) allocates and frees 256 MiB of dedicated memory 10 times as fast, and random
 * reads of more than 1 GiB of it hundreds of times as fast. So the decision is a measurement, not a vendor's name.
 * It is the same for a device and driver: a start takes it from the state folder (PageMeasurementStore).
 */

/** What was measured; nanoseconds to allocate and free `size` bytes, the least of a few. */
export interface MeasuredPages {
  readonly size: bigint;
  readonly plain: bigint;
  readonly dedicated: bigint;
}

export interface PageMeasurement {
  /** Undefined where nothing was measured. */
  readonly measured: MeasuredPages | undefined;
  /** The memory type that was measured; undefined where nothing was. */
  readonly type: number | undefined;
  /** Whether dedicated memory of that type is faster, so that its pages are larger. */
  readonly prefersDedicated: boolean;
  /** Whether an earlier start measured it. */
  readonly cached: boolean;
  /** The decision in words, or why nothing was measured. */
  readonly reason: string;
}

/** Keeps measurements between starts. */
export interface PageMeasurementStore {
  /** @param key of the device and driver. */
  read(key: string): MeasuredPages | undefined;
  /** A failure only means that the next start measures again. */
  write(key: string, measured: MeasuredPages): void;
}

/** The least factor between both that is no coincidence. */
const MIN_FACTOR = 2n;

const milliseconds = (nanoseconds: bigint): string => `${(Number(nanoseconds) / 1e6).toFixed(2)} ms`;

/** The decision that follows from what was measured. */
export function decided(measured: MeasuredPages, type: number, cached: boolean): PageMeasurement {
  const { size, plain, dedicated } = measured;
  const prefersDedicated = plain >= MIN_FACTOR * dedicated;
  const times = `plain ${milliseconds(plain)}, dedicated ${milliseconds(dedicated)}`;
  const so = prefersDedicated ? 'dedicated memory has larger pages' : 'dedicated memory has no larger pages';
  const reason = `allocating and freeing ${size >> 20n} MiB took ${times}: ${so}.`;
  return { measured, type, prefersDedicated, cached, reason };
}

export function notMeasured(reason: string): PageMeasurement {
  return { measured: undefined, type: undefined, prefersDedicated: false, cached: false, reason };
}
