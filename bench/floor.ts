/**
 * The floor: floor.c, compiled for this machine into a folder of the run, and run once for each round.
 *
 * It does by bare system calls what the daemon does for a claim or an allocation (see floor.c), so that a
 * ratio to it says what the daemon, its language and its wire cost, on whatever machine and under whatever
 * load.
 */
import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export type FloorMode = 'claim' | 'allocate';

const SOURCE = fileURLToPath(new URL('../floor.c', import.meta.url));

export class Floor {
  readonly #program: string;

  private constructor(program: string) {
    this.#program = program;
  }

  /**
   * Compiles with $CC, `cc` unless set.
   * @param folder for the program; the caller removes it.
   * @throws Error where there is no compiler, or with its output.
   */
  static compile(folder: string): Floor {
    const program = join(folder, 'floor');
    const compiler = process.env.CC ?? 'cc';
    try {
      execFileSync(compiler, ['-O2', '-o', program, SOURCE], { stdio: ['ignore', 2, 2] });
    } catch (cause) {
      throw new Error(`${compiler} could not compile ${SOURCE}`, { cause });
    }
    return new Floor(program);
  }

  /**
   * One round.
   * @param bytes of the memory that is handed out.
   * @returns a latency in microseconds for each of the iterations, in their order.
   */
  async run(mode: FloorMode, iterations: number, bytes: number): Promise<number[]> {
    const child = spawn(this.#program, [mode, String(iterations), String(bytes)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    const code = await ended;
    const nanoseconds = output.trim().split('\n').map(Number);
    if (code !== 0 || nanoseconds.length !== iterations || !nanoseconds.every((ns) => ns > 0)) {
      throw new Error(`floor ${mode} ended with ${code} after ${nanoseconds.length} of ${iterations}`);
    }
    return nanoseconds.map((ns) => ns / 1000);
  }
}
