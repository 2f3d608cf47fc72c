/**
 * What was measured of the pages of devices, in the state folder, so that a start does not measure again. Only an
 * optimisation: a file that cannot be read is measured anew, and one that cannot be written changes nothing else.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MeasuredPages, PageMeasurementStore } from '../vulkan/device.js';

const FILE = 'pages.json';
/** Of other devices and drivers, the latest are kept. */
const MAX_ENTRIES = 16;

type Stored = Readonly<Record<keyof MeasuredPages, string>>;

export class MeasuredPagesFile implements PageMeasurementStore {
  readonly #folder: string;
  readonly #failed: (failure: unknown) => void;

  /**
   * @param folder Of this user alone; created by write().
   * @param failed Called where the file cannot be written.
   */
  constructor(folder: string, failed: (failure: unknown) => void) {
    this.#folder = folder;
    this.#failed = failed;
  }

  read(key: string): MeasuredPages | undefined {
    const found = this.#entries().find(([name]) => name === key)?.[1];
    if (found === undefined || !isStored(found)) return undefined;
    const { size, plain, dedicated } = found;
    return { size: BigInt(size), plain: BigInt(plain), dedicated: BigInt(dedicated) };
  }

  write(key: string, { size, plain, dedicated }: MeasuredPages): void {
    const stored: Stored = { size: String(size), plain: String(plain), dedicated: String(dedicated) };
    const others = this.#entries().filter(([name]) => name !== key);
    const entries = [...others, [key, stored] as const].slice(-MAX_ENTRIES);
    const path = join(this.#folder, FILE);
    try {
      mkdirSync(this.#folder, { mode: 0o700, recursive: true });
      writeFileSync(`${path}.new`, JSON.stringify(Object.fromEntries(entries)), { mode: 0o600 });
      renameSync(`${path}.new`, path);
    } catch (failure) {
      this.#failed(failure);
    }
  }

  #entries(): (readonly [string, unknown])[] {
    try {
      const read: unknown = JSON.parse(readFileSync(join(this.#folder, FILE), 'utf8'));
      return typeof read === 'object' && read !== null ? Object.entries(read) : [];
    } catch {
      // There is none, or another program wrote it.
      return [];
    }
  }
}

const isStored = (value: unknown): value is Stored => {
  const { size, plain, dedicated } = (value ?? {}) as Partial<Stored>;
  return [size, plain, dedicated].every((number) => /^[1-9][0-9]{0,17}$/.test(String(number)));
};
