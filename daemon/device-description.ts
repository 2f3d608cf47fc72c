/**
 * The file that describes this daemon's device (proto/contract/device-description.ts): created when the device
 * is open, and removed when the daemon stops. One of an earlier daemon is removed at the start, because it may
 * describe another device. Clients can name a daemon by its UUID without it, so a folder that cannot be written
 * is a warning.
 */
import { chmodSync, mkdirSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DESCRIPTION_FILE, type DeviceDescription, descriptionText } from '@vkmemd/proto';

export class DescriptionFile implements Disposable {
  readonly #folder: string;
  readonly #failed: (failure: unknown) => void;

  /**
   * Removes the file of an earlier daemon. The runtime folder's lock is held.
   * @param failed Called where the folder cannot be written.
   */
  constructor(folder: string, failed: (failure: unknown) => void) {
    this.#folder = folder;
    this.#failed = failed;
    this.#remove();
  }

  get #path(): string {
    return join(this.#folder, DESCRIPTION_FILE);
  }

  /** Creates the folder and the file; every user who can enter the runtime folder may read it. */
  write(description: DeviceDescription): void {
    const fresh = `${this.#path}.new`;
    try {
      this.#createFolder();
      rmSync(fresh, { force: true });
      // A file of another user in a folder that others can write is not written to.
      writeFileSync(fresh, descriptionText(description), { flag: 'wx' });
      chmodSync(fresh, 0o644);
      renameSync(fresh, this.#path);
    } catch (failure) {
      this.#failed(failure);
    }
  }

  /** Removes the file, and the folder if nothing else is in it. */
  [Symbol.dispose](): void {
    this.#remove();
    try {
      rmdirSync(this.#folder);
    } catch {
      // The service manager's folder, or it never existed.
    }
  }

  /** A folder that exists may belong to the service manager: its mode stays. */
  #createFolder(): void {
    try {
      mkdirSync(this.#folder);
    } catch (failure) {
      if ((failure as NodeJS.ErrnoException).code !== 'EEXIST') throw failure;
      return;
    }
    chmodSync(this.#folder, 0o755);
  }

  #remove(): void {
    try {
      rmSync(this.#path, { force: true });
    } catch (failure) {
      this.#failed(failure);
    }
  }
}
