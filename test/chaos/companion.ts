/**
 * A process that the harness starts, as another user where possible, and that the guardian has recorded; its
 * messages are JSON lines.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { plainEnvironment } from '../support/daemon.js';
import type { Guardian } from './guardian.js';
import { listen, send } from './messages.js';

/** The user of a process. */
export interface User {
  readonly uid: number;
  readonly gid: number;
}

export interface CompanionOptions {
  readonly args: readonly string[];
  /** Undefined: the current user. */
  readonly user: User | undefined;
  /**
   * Whether it runs only while a processor is otherwise idle (SCHED_IDLE). Attackers do: they must do harm by
   * their requests, and not by taking processor time from the measured processes.
   */
  readonly idle?: boolean;
  readonly env?: NodeJS.ProcessEnv;
  /** A command that executes it as its last step. */
  readonly before?: readonly string[];
}

/** How a process ended. */
export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A compiled program of this folder. */
export const programOf = (name: string): string =>
  fileURLToPath(new URL(`programs/${name}.js`, import.meta.url));

export class Companion {
  readonly pid: number;
  readonly ended: Promise<End>;
  readonly #child: ChildProcess;
  #errors = '';

  /** @throws Error if it cannot be started. */
  constructor(guardian: Guardian, { args, user, idle = false, env = {}, before }: CompanionOptions) {
    // chrt executes the program.
    const scheduled = idle ? ['chrt', '--idle', '0', process.execPath] : [process.execPath];
    const [command = process.execPath, ...words] = [...(before ?? []), ...scheduled, ...args];
    this.#child = spawn(command, words, {
      ...user,
      env: { ...plainEnvironment(), ...env, ...guardian.environment },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    if (this.#child.pid === undefined) throw new Error(`${command} could not be started`);
    this.pid = this.#child.pid;
    guardian.watch(this.pid);
    this.ended = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        guardian.forget(this.pid);
        resolve({ code, signal });
      });
    });
    this.#child.stdin?.on('error', () => {}); // It may have been killed before it read everything.
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-1 << 16);
    });
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The last part of its standard error. */
  get errors(): string {
    return this.#errors;
  }

  get output(): NodeJS.ReadableStream | null {
    return this.#child.stdout;
  }

  get log(): NodeJS.ReadableStream | null {
    return this.#child.stderr;
  }

  send<M>(message: M): void {
    if (this.#child.stdin?.writable) send(this.#child.stdin, message);
  }

  /**
   * Calls `heard` for each message from now on; resolves when it has ended, and all messages were handled.
   */
  async listen<M>(heard: (message: M) => void): Promise<void> {
    if (this.#child.stdout) await listen(this.#child.stdout, heard);
    await this.ended;
  }

  /** No effect once it has ended. */
  signal(signal: NodeJS.Signals): void {
    if (this.alive) process.kill(this.pid, signal);
  }
}
