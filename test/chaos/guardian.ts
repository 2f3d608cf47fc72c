/**
 * A process that outlives the harness briefly, to end the processes that the harness has started and remove
 * its files, even if the harness itself is killed. Every process is started through it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** In the environment of every started process, and of its children. */
const MARK = 'VKMEMD_CHAOS';

export class Guardian {
  /** Identifies a process that was started but not reported. */
  readonly environment: NodeJS.ProcessEnv = { [MARK]: randomUUID() };
  readonly #child: ChildProcess;

  constructor() {
    const program = fileURLToPath(new URL('programs/guardian.js', import.meta.url));
    // In a session of its own, so that Ctrl-C at the harness's terminal does not reach it.
    this.#child = spawn(process.execPath, [program, `${MARK}=${this.environment[MARK]}`], {
      stdio: ['pipe', 'ignore', 'inherit'],
      detached: true,
    });
  }

  watch(pid: number): void {
    this.#say(`+${pid}`);
  }

  /** It has ended, and its pid may be reused. */
  forget(pid: number): void {
    this.#say(`-${pid}`);
  }

  willRemove(folder: string): void {
    this.#say(`folder ${folder}`);
  }

  /** A control group, which is empty once all processes have ended. */
  willRemoveGroup(folder: string): void {
    this.#say(`group ${folder}`);
  }

  /** Ends remaining processes; resolves when none is left. */
  async close(): Promise<void> {
    const ended = once(this.#child, 'close');
    this.#child.stdin?.end();
    await ended;
  }

  #say(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }
}
