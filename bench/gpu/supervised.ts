/**
 * A daemon under its supervisor, whose core is killed. A new one is needed for each kill: the supervisor waits longer
 * before each restart until a daemon was ready for a minute.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectControl } from '@vkmemd/client';
import { within } from './programs.js';

const PROGRAM = fileURLToPath(new URL('../../../daemon/bin/vkmemd.js', import.meta.url));
const START_MS = 30_000;
const STOP_MS = 60_000;

export class SupervisedDaemon implements AsyncDisposable {
  readonly runtimeDir: string;
  readonly #child: ChildProcess;
  readonly #kill = (): void => {
    try {
      process.kill(this.core, 'SIGKILL');
    } catch {
      // It has no core, or has ended.
    }
    this.#child.kill('SIGKILL');
  };

  private constructor(child: ChildProcess, runtimeDir: string) {
    this.#child = child;
    this.runtimeDir = runtimeDir;
    process.once('exit', this.#kill);
  }

  /**
   * Starts it and waits until it serves.
   * @param runtimeDir exists already; the caller removes it.
   * @throws Error where it does not serve in time.
   */
  static async start(runtimeDir: string): Promise<SupervisedDaemon> {
    const args = [PROGRAM, '--supervisor', '--runtime-dir', runtimeDir, '--log-level', 'error'];
    const log = join(runtimeDir, 'log');
    const fd = openSync(log, 'w');
    const child = spawn(process.execPath, args, { stdio: ['ignore', fd, fd] });
    closeSync(fd);
    const daemon = new SupervisedDaemon(child, runtimeDir);
    const ended = once(child, 'exit').then(() => {
      throw new Error('the supervisor ended before the daemon was ready');
    });
    try {
      await within(START_MS, 'the start of a supervised daemon', Promise.race([ended, daemon.#serving()]));
      ended.catch(() => {});
      return daemon;
    } catch (failure) {
      daemon.#kill();
      const last = readFileSync(log, 'utf8').trimEnd().split('\n').at(-1);
      throw new Error(`${(failure as Error).message}: ${last}`);
    }
  }

  /** The pid of the core, which is the supervisor's only child. */
  get core(): number {
    const { pid } = this.#child;
    const core = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0]);
    if (!core) throw new Error('the supervisor has no daemon');
    return core;
  }

  /** Resolves when it serves, or when it has ended. */
  async #serving(): Promise<void> {
    while (this.#child.exitCode === null && this.#child.signalCode === null) {
      const control = connectControl({ runtimeDir: this.runtimeDir });
      try {
        await control.devices();
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20));
      } finally {
        await control.close();
      }
    }
  }

  /** Stops both; what is allocated is freed. */
  async [Symbol.asyncDispose](): Promise<void> {
    const exit = once(this.#child, 'exit');
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGTERM');
      await within(STOP_MS, 'the stop of a supervised daemon', exit).catch(this.#kill);
    }
    process.off('exit', this.#kill);
  }
}
