/**
 * A child process, started without copying the page tables of this one: node:child_process forks, which stops
 * a process with a lot of memory for about 60 ms for each GiB.
 */
import { constants } from 'node:os';
import type { OwnedFd } from './fd.js';
import { native } from './native.js';
import { ExitWatch, openPidfd } from './peer.js';

/** The program to start. */
export interface ChildProgram {
  /** A path. */
  readonly file: string;
  /** argv[1] and following. */
  readonly args: readonly string[];
  /** The whole environment, as 'NAME=VALUE'. */
  readonly environment: readonly string[];
}

/** Between two checks where the kernel cannot report the end of a process. */
const POLL_MS = 20;
const MAX_DELAY_MS = 0x7fff_ffff;
const SIGNAL_NAMES = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/** A child of this process. It keeps the event loop running until it has ended. */
export class ChildProcess {
  readonly pid: number;
  /** Resolves when it has ended: 'exit status 1', or the name of the signal that ended it. */
  readonly exited: Promise<string>;
  /** Once it has ended. */
  #status: number | undefined;

  /**
   * Starts a program. Its standard input is /dev/null, its standard output and error are those of this
   * process.
   * @param passed Borrowed. Number 3 in the child.
   * @throws KernelError from posix_spawn(), such as ENOENT, EAGAIN.
   */
  constructor({ file, args, environment }: ChildProgram, passed: OwnedFd) {
    const argv = [file, ...args].map((arg) => Buffer.from(arg));
    this.pid = native.spawnChild(file, argv, environment, passed.fd);
    // The watch of a pidfd does not keep the event loop running.
    const running = setInterval(() => {}, MAX_DELAY_MS);
    this.exited = new Promise((resolve) => {
      this.#watch(() => {
        clearInterval(running);
        resolve(this.#describe());
      });
    });
  }

  /** Sends SIGKILL, if it runs. */
  kill(): void {
    if (this.#status === undefined) process.kill(this.pid, 'SIGKILL');
  }

  #watch(ended: () => void): void {
    try {
      // Only reapChild() lets the kernel use the pid again.
      const watch = new ExitWatch(openPidfd(this.pid), 0, () => {
        watch.close();
        this.#status = native.reapChild(this.pid);
        ended();
      });
    } catch {
      // The kernel has no pidfds, or no fd is left.
      const timer = setInterval(() => {
        this.#status = native.reapChild(this.pid);
        if (this.#status === undefined) return;
        clearInterval(timer);
        ended();
      }, POLL_MS);
    }
  }

  #describe(): string {
    const status = this.#status ?? 0;
    return status < 0 ? (SIGNAL_NAMES.get(-status) ?? `signal ${-status}`) : `exit status ${status}`;
  }
}
