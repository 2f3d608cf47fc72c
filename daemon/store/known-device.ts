/**
 * The device of the daemon before, in the state folder, so that this one can serve before it has opened the device. It
 * is used only if nothing has changed that could make it another device, another driver or another choice; a file that
 * cannot be read or written changes nothing but the time of a start.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import type { DeviceInfo, KnownDevice } from '../vulkan/device.js';

const FILE = 'device.v8';

/** What the start before had. */
interface Stored {
  /** The daemon's version, the device that it was asked for, and what the Vulkan loader reads of the environment. */
  readonly start: string;
  readonly kernelDriver: string;
  readonly known: KnownDevice;
}

interface Terms {
  readonly version: string;
  /** The device that the daemon was asked for; undefined for the first. */
  readonly selector: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** Identifies driver and device without opening it; undefined if it cannot be. */
  readonly kernelDriver: (info: DeviceInfo) => string | undefined;
}

export class KnownDeviceFile {
  readonly #folder: string;
  readonly #start: string;
  readonly #kernelDriver: Terms['kernelDriver'];
  readonly #failed: (failure: unknown) => void;

  /**
   * @param folder Of this user alone; created by save().
   * @param failed Called where the file cannot be written.
   */
  constructor(folder: string, terms: Terms, failed: (failure: unknown) => void) {
    this.#folder = folder;
    this.#start = startOf(terms);
    this.#kernelDriver = terms.kernelDriver;
    this.#failed = failed;
  }

  /** The device, if it certainly is the same as then. */
  read(): KnownDevice | undefined {
    const stored = this.#stored();
    if (stored?.start !== this.#start) return undefined;
    return stored.kernelDriver === this.#kernelDriver(stored.known.info) ? stored.known : undefined;
  }

  #stored(): Stored | undefined {
    try {
      return deserialize(readFileSync(join(this.#folder, FILE))) as Stored;
    } catch {
      // There is none, or another program wrote it.
      return undefined;
    }
  }

  /** For the next start; without effect where the kernel does not identify the driver. */
  save(known: KnownDevice): void {
    const path = join(this.#folder, FILE);
    try {
      const kernelDriver = this.#kernelDriver(known.info);
      if (kernelDriver === undefined) {
        this.remove();
        return;
      }
      const stored: Stored = { start: this.#start, kernelDriver, known };
      mkdirSync(this.#folder, { mode: 0o700, recursive: true });
      writeFileSync(`${path}.new`, serialize(stored), { mode: 0o600 });
      renameSync(`${path}.new`, path);
    } catch (failure) {
      this.#failed(failure);
    }
  }

  /** The next start opens the device first. */
  remove(): void {
    rmSync(join(this.#folder, FILE), { force: true });
  }
}

/** The loader and its layers read variables whose names begin so. */
function startOf({ version, selector, env }: Terms): string {
  const read = Object.entries(env).filter(([name]) =>
    /^(VK_|DISABLE_|ENABLE_|XDG_|CUDA_|NVIDIA_|MESA_)/.test(name),
  );
  return JSON.stringify([version, selector, read.sort(([a], [b]) => (a < b ? -1 : 1))]);
}
