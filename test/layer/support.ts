/**
 * The layer's test program (program/program.h) as a child process: one command in, one answer out; and on a
 * fake of its own, for the duration of a test.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { Test } from 'tap';
import { plainEnvironment } from '../support/daemon.js';
import { FakeLayer } from '../support/fake-layer.js';

export type Answer = Readonly<Record<string, string>>;

/** How the program ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

export class FakeProgram {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #answers: AsyncIterator<string>;
  readonly #ended: Promise<Ended>;

  constructor(environment: NodeJS.ProcessEnv) {
    this.#child = spawn(FakeLayer.program, [], {
      env: { ...plainEnvironment(), ...environment },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    // A program that has ended is noticed by its missing answer.
    this.#child.stdin.on('error', () => {});
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    let stderr = '';
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    this.#ended = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => resolve({ code, signal, stderr }));
    });
  }

  async ask(command: string): Promise<Answer> {
    this.#child.stdin.write(`${command}\n`);
    const { value, done } = await this.#answers.next();
    if (done) throw new Error(`no answer to '${command}': ${JSON.stringify(await this.#ended)}`);
    return JSON.parse(value);
  }

  /** The answer to a command that must succeed. */
  async must(command: string): Promise<Answer> {
    const { result, ...answer } = await this.ask(command);
    if (result !== '0') throw new Error(`'${command}': ${answer.call} returned ${result}`);
    return answer;
  }

  /** Closes the program's input. Resolves to how it ended. */
  end(): Promise<Ended> {
    this.#child.stdin.end();
    return this.#ended;
  }
}

/** Runs a test with a program on a fake of its own, which must exit with 0 and leave nothing. */
export async function onFake(
  t: Test,
  lines: readonly string[],
  use: (program: FakeProgram, layer: FakeLayer) => Promise<void>,
): Promise<void> {
  const layer = new FakeLayer(t, ...lines);
  const program = new FakeProgram(layer.environment);
  try {
    await use(program, layer);
  } finally {
    t.match(await program.end(), { code: 0, signal: null });
  }
  t.strictSame(layer.leaks(), [], 'nothing is left');
}

/** Whether the answer to `describe` lists a device extension. */
export function lists({ extensions }: Answer, name: string): boolean {
  return extensions?.split(' ').includes(name) ?? false;
}
