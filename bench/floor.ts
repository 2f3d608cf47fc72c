/**
 * The floor: floor.c, compiled for this machine into a folder of the run. One process serves all rounds.
 *
 * It does by bare system calls what the daemon does for a claim or an allocation (see floor.c), so that a
 * ratio to it says what the daemon, its language and its wire cost, on whatever machine and under whatever
 * load.
 */
import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Sample } from './samples.js';

export const FLOORS = ['claim', 'allocate'] as const;
export type FloorMode = (typeof FLOORS)[number];

const SOURCE = fileURLToPath(new URL('../floor.c', import.meta.url));

/**
 * Compiles with $CC, `cc` unless set.
 * @param folder for the program; the caller removes it.
 * @returns the program's path.
 * @throws Error where there is no compiler, or with its output.
 */
export function compileFloor(folder: string): string {
  const program = join(folder, 'floor');
  const compiler = process.env.CC ?? 'cc';
  try {
    execFileSync(compiler, ['-O2', '-o', program, SOURCE], { stdio: ['ignore', 2, 2] });
  } catch (cause) {
    throw new Error(`${compiler} could not compile ${SOURCE}`, { cause });
  }
  return program;
}

export class Floor implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string, undefined>;
  readonly #exit: Promise<unknown[]>;

  /**
   * @param program of compileFloor().
   * @param bytes of the memory that is handed out.
   */
  constructor(program: string, bytes: number) {
    this.#child = spawn(program, [String(bytes)], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#exit = once(this.#child, 'exit');
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Requests of one mode, one after the other. @throws Error where the program ends or misses one. */
  async run(mode: FloorMode, iterations: number): Promise<Sample> {
    this.#child.stdin.write(`${mode} ${iterations}\n`);
    const { value } = await this.#lines.next();
    const line = value ?? '';
    const [client = 0, daemon = 0, ...latencies] = line.split(' ').map((ns) => Number(ns) / 1000);
    if (latencies.length !== iterations || !latencies.every((us) => us > 0)) {
      throw new Error(`floor ${mode} ended after ${latencies.length} of ${iterations} requests`);
    }
    const total = latencies.reduce((sum, us) => sum + us, 0);
    return { latencies, total, client, daemon };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    const [code, signal] = await this.#exit;
    if (code !== 0) throw new Error(`the floor ended with ${code ?? signal}`);
  }
}
