/** A process of the benchmark: it prints lines, and works until its standard input ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** How it runs. */
export interface Terms {
  /** The processor that it is pinned to. Default: those of this process. */
  readonly processor?: number | undefined;
  /** Its niceness, such as -20 to be preferred. */
  readonly nice?: number;
  /** Its user, without groups. Default: this process's. */
  readonly uid?: number | undefined;
}

/** None outlives this process. */
const running = new Set<Program>();
process.once('exit', () => {
  for (const program of running) program.kill();
});

export class Program {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #exit: Promise<unknown[]>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#exit = once(child, 'exit');
    // Waited for in end(), and noticed by a missing line.
    this.#exit.catch(() => {});
    running.add(this);
    child.once('exit', () => running.delete(this));
    // A program that has ended is noticed by its missing line.
    child.stdin?.on('error', () => {});
    if (!child.stdout) throw new Error('no standard output');
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** Starts a program. */
  static start(command: string, args: readonly string[], { processor, nice, uid }: Terms = {}): Program {
    const wrapped = [
      ...(processor === undefined ? [] : ['taskset', '--cpu-list', String(processor)]),
      ...(nice === undefined ? [] : ['nice', '-n', String(nice)]),
      ...(uid === undefined ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups']),
      command,
      ...args,
    ];
    const [first = command, ...rest] = wrapped;
    return new Program(spawn(first, rest, { stdio: ['pipe', 'pipe', 'inherit'] }));
  }

  /** Starts a program that prints nothing. @throws Error where it is not installed. */
  static server(command: string, args: readonly string[]): Program {
    const program = Program.start(command, args);
    if (!program.pid) throw new Error(`${command} is not installed`);
    return program;
  }

  /** Starts NAME.js, relative to this folder. */
  static node(name: string, args: readonly string[], terms?: Terms): Program {
    const program = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
    return Program.start(process.execPath, [program, ...args], terms);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The next line that it prints. @throws Error where it has ended. */
  async line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('a process of the benchmark ended early');
    return value;
  }

  /** Writes a line to its standard input. */
  write(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** Ends its work. @returns the line that it prints then. */
  async stop(): Promise<string> {
    this.#child.stdin?.end();
    const last = await this.line();
    await this.#exit;
    return last;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Ends a program by SIGTERM. */
  async terminate(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#exit;
  }

  /** Ends it. @throws Error where it does not end well. */
  async end(): Promise<void> {
    this.#child.stdin?.end();
    const [code, signal] = await this.#exit;
    if (code !== 0) throw new Error(`a process of the benchmark ended with ${code ?? signal}`);
  }
}
