/**
 * Guardian: a process that outlives the harness by a moment, to end whatever the harness has started and
 * remove whatever it has made, even where the harness itself is killed. Nothing is started without it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** In the environment of whatever is started, and of what that starts. */
const MARK = 'VKMEMD_CHAOS';

export class Guardian {
  /** What they are known by, in case that one was started and not told of. */
  readonly environment: NodeJS.ProcessEnv = { [MARK]: randomUUID() };
  readonly #child: ChildProcess;

  constructor() {
    const program = fileURLToPath(new URL('programs/guardian.js', import.meta.url));
    // In a session of its own, so that a Ctrl-C at the harness's terminal is not for it.
    this.#child = spawn(process.execPath, [program, `${MARK}=${this.environment[MARK]}`], {
      stdio: ['pipe', 'ignore', 'inherit'],
      detached: true,
    });
  }

  watch(pid: number): void {
    this.#say(`+${pid}`);
  }

  /** It has ended, and its number may be somebody else's. */
  forget(pid: number): void {
    this.#say(`-${pid}`);
  }

  willRemove(folder: string): void {
    this.#say(`folder ${folder}`);
  }

  /** Ends what is left; resolves when nothing is. */
  async close(): Promise<void> {
    const ended = once(this.#child, 'close');
    this.#child.stdin?.end();
    await ended;
  }

  #say(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }
}
