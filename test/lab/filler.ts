/** Another process that uses memory of the system: it fills it, and holds it until it is ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { plainEnvironment, plainNode } from '../support/daemon.js';

const PROGRAM = `
const [parts, most] = [[], 1 << 26];
for (let left = Number(process.argv[1]); left > 0; left -= most) {
  parts.push(Buffer.alloc(Math.min(left, most), 1));
}
process.stdout.write('full');
setInterval(() => parts, 60_000);
`;

export class Filler implements AsyncDisposable {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Resolves when the process has written to all bytes. @throws Error if it ends before. */
  static async start(bytes: bigint): Promise<Filler> {
    const child = spawn(...plainNode(['-e', PROGRAM, String(bytes)]), {
      env: plainEnvironment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit').then(([code, signal]) => {
      throw new Error(`the process that fills memory ended with ${code ?? signal}`);
    });
    await Promise.race([child.stdout ? once(child.stdout, 'data') : ended, ended]);
    ended.catch(() => {}); // It is ended on purpose.
    return new Filler(child);
  }

  /** Ends it; its memory is free then. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await closed;
  }
}
