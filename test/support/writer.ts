/** The test's side of writer-client.ts: a client process that the test can command, stop and kill. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { plainEnvironment, plainNode } from './daemon.js';

const PROGRAM = fileURLToPath(new URL('writer-client.js', import.meta.url));

export class WriterProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #ended: Promise<unknown>;

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    this.#ended = once(child, 'exit');
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** Connected, without a claim. It ends with the test at the latest. */
  static async start(t: Test, runtimeDir: string, name: string): Promise<WriterProcess> {
    const child = spawn(...plainNode([PROGRAM, runtimeDir, name]), { env: plainEnvironment() });
    child.stdin.on('error', () => {}); // It may have been killed before a command is sent.
    const writer = new WriterProcess(child);
    t.teardown(() => writer.kill());
    const answer = await writer.send('connect');
    if (answer !== 'ok') throw new Error(`the client could not connect: ${answer}`);
    return writer;
  }

  /** Its answer: 'ok', or the code of the error; undefined where it has ended. */
  async send(line: string): Promise<string | undefined> {
    this.#child.stdin.write(`${line}\n`);
    const { done, value } = await this.#lines.next();
    return done ? undefined : value;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves when it has ended. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}
