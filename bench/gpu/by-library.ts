/**
 * Attaching many memories by claimMany() of the client library: a fresh process of Node.js claims them, and passes
 * the fds to a fresh process with a CUDA context, which imports and maps them (cuda.c, `receive`).
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Bench } from './bench.js';

const CLAIMER = fileURLToPath(new URL('./claimer.js', import.meta.url));
const PATIENCE_MS = 30_000;

export class ClaimedByLibrary {
  readonly #bench: Bench;
  readonly #folder: string;
  readonly #runtimeDir: string;
  readonly #prefix: string;
  #rounds = 0;

  constructor(bench: Bench, folder: string, runtimeDir: string, prefix: string) {
    this.#bench = bench;
    this.#folder = folder;
    this.#runtimeDir = runtimeDir;
    this.#prefix = prefix;
  }

  /** @returns the milliseconds from connect() until the first word is read. */
  async attach(): Promise<number> {
    const { programs, uuid, many } = this.#bench;
    this.#rounds += 1;
    const socket = join(this.#folder, `${this.#rounds}.sock`);
    await using _receiver = await programs.serve('cuda', ['receive', uuid, socket, many]);
    const args = [CLAIMER, this.#runtimeDir, this.#prefix, String(many), socket];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 2], timeout: PATIENCE_MS });
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    const [code, signal] = await once(child, 'close');
    if (code !== 0) throw new Error(`the claiming process ended with ${code ?? signal}`);
    return Number(output);
  }
}
