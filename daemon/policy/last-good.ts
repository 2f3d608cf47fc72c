/**
 * The texts of the last valid policy, in the state folder: a daemon that is restarted while a policy file has a
 * fault serves with them. A first start has none, and fails.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Source } from './toml.js';

const FILE = 'policy.json';

export class LastGoodPolicy {
  readonly #folder: string;
  #written = Promise.resolve();

  /** @param folder Of this user alone; created by save(). */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Undefined if there is none, or it cannot be read. */
  read(): Source[] | undefined {
    try {
      const { sources } = JSON.parse(readFileSync(join(this.#folder, FILE), 'utf8')) as { sources?: unknown };
      if (Array.isArray(sources) && sources.every(isSource)) return sources;
    } catch {
      // A file that is missing, or was half written by another program, is no policy.
    }
    return undefined;
  }

  /** Replaces the file as a whole, after earlier calls. @throws Error of the file system. */
  save(sources: readonly Source[]): Promise<void> {
    const write = async () => {
      mkdirSync(this.#folder, { mode: 0o700, recursive: true });
      const path = join(this.#folder, FILE);
      await writeFile(`${path}.new`, JSON.stringify({ sources }), { mode: 0o600 });
      await rename(`${path}.new`, path);
    };
    const written = this.#written.then(write);
    this.#written = written.catch(() => {});
    return written;
  }
}

const isSource = (source: Partial<Source>): source is Source =>
  typeof source?.file === 'string' && typeof source.text === 'string';
