/**
 * The device of the daemon before, in the state folder, so that this one can serve before it has opened the device. It
 * is used only if nothing has changed that could make it another device, another driver or another choice; a file that
 * cannot be read or written changes nothing but the time of a start.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import type { DeviceInfo, KnownDevice } from '../vulkan/device.js';

const FILE = 'device.v8';
/** SHA-256, in front of the rest, so that a damaged file is not believed. */
const DIGEST_BYTES = 32;

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
    if (stored?.start !== this.#start || !isKnown(stored.known)) return undefined;
    return stored.kernelDriver === this.#kernelDriver(stored.known.info) ? stored.known : undefined;
  }

  #stored(): Partial<Stored> | undefined {
    try {
      const bytes = readFileSync(join(this.#folder, FILE));
      const content = bytes.subarray(DIGEST_BYTES);
      if (!digestOf(content).equals(bytes.subarray(0, DIGEST_BYTES))) return undefined;
      return deserialize(content) as Partial<Stored> | undefined;
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
      const content = serialize(stored);
      writeFileSync(`${path}.new`, Buffer.concat([digestOf(content), content]), { mode: 0o600 });
      renameSync(`${path}.new`, path);
    } catch (failure) {
      this.#failed(failure);
    }
  }

  /** The next start opens the device first. */
  remove(): void {
    try {
      rmSync(join(this.#folder, FILE), { force: true });
    } catch (failure) {
      this.#failed(failure);
    }
  }
}

const digestOf = (content: Uint8Array): Buffer => createHash('sha256').update(content).digest();

/** Whether it has the parts that are used before the device is open. A build of this version may have written others. */
function isKnown(known: unknown): known is KnownDevice {
  const { info, capabilities } = (known ?? {}) as Partial<KnownDevice>;
  if (!(info?.deviceUuid instanceof Uint8Array && info.driverUuid instanceof Uint8Array)) return false;
  if (![info.heaps, info.memoryTypes, info.extensions].every(Array.isArray)) return false;
  if (!info.limits || !info.semaphores || !info.externalBuffer || !capabilities) return false;
  const { kinds, exportBits, together, pages } = capabilities;
  return kinds instanceof Map && exportBits instanceof Map && Boolean(together) && Boolean(pages);
}

/** The loader and its layers read variables whose names begin so. */
function startOf({ version, selector, env }: Terms): string {
  const read = Object.entries(env).filter(([name]) =>
    /^(VK_|DISABLE_|ENABLE_|XDG_|CUDA_|NVIDIA_|MESA_)/.test(name),
  );
  return JSON.stringify([version, selector, read.sort(([a], [b]) => (a < b ? -1 : 1))]);
}
