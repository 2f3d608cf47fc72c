/**
 * The floor: floor.c, compiled for this machine into a folder of the run. One process serves all rounds.
 *
 * It does by bare system calls what the daemon does for a claim or an allocation (see floor.c), so that a
 * ratio to it says what the daemon, its language and its wire cost, on whatever machine and under whatever
 * load.
 */
import { Program } from './program.js';
import type { Sample } from './samples.js';

export type FloorMode = 'claim' | 'allocate';

export class Floor implements AsyncDisposable {
  readonly #program: Program;

  /**
   * @param program floor.c, compiled.
   * @param bytes of the memory that is handed out.
   */
  constructor(program: string, bytes: number) {
    this.#program = Program.start(program, [String(bytes)]);
  }

  /** Requests of one mode, one after the other. @throws Error where the program ends or misses one. */
  async run(mode: FloorMode, iterations: number): Promise<Sample> {
    this.#program.write(`${mode} ${iterations}`);
    const line = await this.#program.line();
    const [client = 0, daemon = 0, ...latencies] = line.split(' ').map((ns) => Number(ns) / 1000);
    if (latencies.length !== iterations || !latencies.every((us) => us > 0)) {
      throw new Error(`floor ${mode} ended after ${latencies.length} of ${iterations} requests`);
    }
    const total = latencies.reduce((sum, us) => sum + us, 0);
    return { latencies, total, client, daemon };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program.end();
  }
}
