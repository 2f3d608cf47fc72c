/**
 * The programs in C of the GPU benchmark, compiled for this machine into a folder of the run. They need neither
 * CUDA's toolkit nor a header of Vulkan, only the drivers' libraries at run time.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { compile } from '../compile.js';

export const KERNELS = fileURLToPath(new URL('../../gpu/kernels.ptx', import.meta.url));

const PROGRAMS = ['client', 'cuda', 'bare'] as const;
type Program = (typeof PROGRAMS)[number];

/** The part of a program's errors that is a reason. */
const lastLine = (text: string): string => text.trimEnd().split('\n').at(-1) ?? '';

/** Settles as the promise does. @throws Error if that takes longer. */
export async function within<T>(milliseconds: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took more than ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

export class Programs {
  readonly #folder: string;
  /** Milliseconds that one run may take. */
  readonly #patience: number;

  /**
   * Compiles them.
   * @param folder for the programs; the caller removes it.
   * @throws Error where there is no compiler, or with its output.
   */
  constructor(folder: string, patience: number) {
    this.#folder = folder;
    this.#patience = patience;
    for (const program of PROGRAMS) compile(`gpu/${program}`, folder);
  }

  /**
   * Runs a program.
   * @returns What it printed, as JSON.
   * @throws Error with its reason; or if it takes too long, after it was killed.
   */
  async run<Result>(program: Program, args: readonly (string | number)[]): Promise<Result> {
    const child = spawn(join(this.#folder, program), args.map(String), {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: this.#patience,
      killSignal: 'SIGKILL',
    });
    const kill = () => void child.kill('SIGKILL');
    process.once('exit', kill);
    const [output, errors] = [text(child.stdout), text(child.stderr)];
    const [code, signal] = await once(child, 'close').finally(() => process.off('exit', kill));
    if (code !== 0) {
      const late =
        signal === 'SIGKILL' ? `was killed after ${this.#patience} ms` : `ended with ${code ?? signal}`;
      throw new Error(lastLine(await errors) || `${program} ${args[0]} ${late}`);
    }
    return JSON.parse(await output);
  }

  /**
   * Starts a program that prints `ready` and then serves until its standard input ends.
   * @throws Error with its reason, or if it takes too long.
   */
  async serve(program: Program, args: readonly (string | number)[]): Promise<AsyncDisposable> {
    const server = new Server(join(this.#folder, program), args.map(String));
    try {
      await within(this.#patience, `${program} ${args[0]}`, server.ready());
      return server;
    } catch (failure) {
      server.kill();
      throw failure;
    }
  }
}

async function text(stream: Readable): Promise<string> {
  let all = '';
  for await (const chunk of stream.setEncoding('utf8')) all += chunk;
  return all;
}

class Server implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #exit: Promise<unknown[]>;
  readonly #errors: Promise<string>;
  readonly kill = (): void => void this.#child.kill('SIGKILL');

  constructor(program: string, args: readonly string[]) {
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#exit = once(this.#child, 'exit');
    this.#errors = text(this.#child.stderr);
    // A program that has ended is noticed by its missing answer.
    this.#child.stdin.on('error', () => {});
    process.once('exit', this.kill);
  }

  async ready(): Promise<void> {
    const { value } = await createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]().next();
    if (value !== 'ready') throw new Error(lastLine(await this.#errors) || 'it ended before it was ready');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    await within(10_000, 'the end of a holder', this.#exit).catch(this.kill);
    process.off('exit', this.kill);
  }
}
