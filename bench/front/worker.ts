/** A process of the benchmark, on one processor, with a priority: it says that it is ready, and prints a result. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export class Worker {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcess, lines: Interface) {
    this.#child = child;
    this.#lines = lines[Symbol.asyncIterator]();
  }

  /**
   * Starts NAME.js, relative to this folder.
   * @param processor that it runs on.
   * @param nice its niceness, such as -20 to be preferred.
   * @param uid its user, without groups. Default: this process's.
   */
  static start(name: string, args: readonly string[], processor: number, nice = 0, uid?: number): Worker {
    const user = uid === undefined ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
    const program = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
    const command = ['--cpu-list', String(processor), 'nice', '-n', String(nice), ...user, process.execPath];
    const child = spawn('taskset', [...command, program, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    const kill = () => child.kill('SIGKILL');
    process.once('exit', kill);
    child.once('exit', () => process.off('exit', kill));
    if (!child.stdout) throw new Error('no standard output');
    return new Worker(child, createInterface({ input: child.stdout }));
  }

  /** The next line that it prints. @throws Error where it has ended. */
  async line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('a process of the benchmark ended early');
    return value;
  }

  /** Ends its work. @returns the line that it prints then. */
  async stop(): Promise<string> {
    this.#child.stdin?.end();
    const last = await this.line();
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
    return last;
  }
}
