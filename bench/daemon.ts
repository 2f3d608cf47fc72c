/**
 * The daemon under measurement: the compiled vkmemd as a process of its own, in a runtime folder of its own,
 * on the device that it chooses by itself.
 *
 * It is stopped on every way out: by dispose, which also asserts that nothing is left behind, and otherwise,
 * at the latest when this process exits, by a SIGKILL.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { connectControl } from '@vkmemd/client';
import type { Counts } from '@vkmemd/proto';

const PROGRAM = fileURLToPath(new URL('../../daemon/bin/vkmemd.js', import.meta.url));
/** How long the daemon may take to release everything, in milliseconds: some measurements hold very much. */
const SETTLE_MS = 60_000;
/** What is measured is never delayed by a limit. */
const POLICY = '[limits]\nrequests_per_second = 1_000_000\nrequest_burst = 1_000_000\n';

export class BenchDaemon implements AsyncDisposable {
  readonly runtimeDir: string;
  /** The device's name, as the driver says it. */
  readonly device: string;
  /** Of the device, 32 hexadecimal digits. */
  readonly uuid: string;
  readonly #child: ChildProcess;
  readonly #kill: () => void;

  private constructor(
    child: ChildProcess,
    runtimeDir: string,
    device: { readonly name: string; readonly deviceUuid: Uint8Array } | undefined,
    kill: () => void,
  ) {
    this.#child = child;
    this.runtimeDir = runtimeDir;
    this.device = device?.name ?? 'unknown';
    this.uuid = Buffer.from(device?.deviceUuid ?? []).toString('hex');
    this.#kill = kill;
  }

  /**
   * Starts it and waits until it serves.
   * @param runtimeDir exists already; the caller removes it.
   * @param limits More lines of the policy's `[limits]`.
   * @throws Error where it ends before it is ready; what it logged is shown.
   */
  static async start(runtimeDir: string, limits = ''): Promise<BenchDaemon> {
    const policy = join(runtimeDir, 'bench.toml');
    writeFileSync(policy, `${POLICY}${limits}`);
    const args = [PROGRAM, '--runtime-dir', runtimeDir, '--config', policy, '--log-level', 'warn'];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const kill = () => void child.kill('SIGKILL');
    process.once('exit', kill);
    try {
      await startLine(child);
      const control = connectControl({ runtimeDir });
      const { devices } = await control.devices().finally(() => control.close());
      return new BenchDaemon(child, runtimeDir, devices[0], kill);
    } catch (failure) {
      kill();
      throw failure;
    }
  }

  /** The pid of the core. */
  get core(): number {
    return this.#child.pid ?? 0;
  }

  /** The pid of the front. */
  get front(): number {
    return Number(readFileSync(`/proc/${this.core}/task/${this.core}/children`, 'utf8').split(' ')[0]);
  }

  /** The processor time that its two processes have used, in microseconds. */
  get processorTime(): number {
    return processorTime(this.core) + processorTime(this.front);
  }

  /** What is resident of its two processes and of no file, in KiB: without the bytes that it hands out. */
  get ownKib(): number {
    return residentKib(this.core, 'RssAnon') + residentKib(this.front, 'RssAnon');
  }

  /**
   * Stops it.
   * @throws Error where it still holds something that was freed, or does not end well.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#assertEmpty();
      const exit = once(this.#child, 'exit');
      this.#child.kill('SIGTERM');
      const [code, signal] = await exit;
      if (code !== 0) throw new Error(`the daemon ended with ${code ?? signal}`);
    } finally {
      this.#kill();
      process.off('exit', this.#kill);
    }
  }

  async #assertEmpty(): Promise<void> {
    const control = connectControl({ runtimeDir: this.runtimeDir });
    try {
      const end = Date.now() + SETTLE_MS;
      let { counts } = await control.budget();
      while (!isEmpty(counts) && Date.now() < end) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        ({ counts } = await control.budget());
      }
      if (!isEmpty(counts)) throw new Error(`the daemon still holds ${JSON.stringify(counts)}`);
    } finally {
      await control.close();
    }
  }
}

/**
 * The processor time that the threads of a process have used, in microseconds. A thread that ended is no longer
 * counted: the daemon's threads stay.
 */
export function processorTime(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  const nanoseconds = readdirSync(tasks).map((task) =>
    Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0]),
  );
  return nanoseconds.reduce((sum, ns) => sum + ns, 0) / 1000;
}

/** Resident memory of a process, in KiB. @param what All of it, or what is of no file. */
export const residentKib = (pid: number, what: 'VmRSS' | 'RssAnon'): number =>
  Number(new RegExp(`^${what}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

const isEmpty = (counts: Counts): boolean => Object.values(counts).every((count) => count === 0);

/** Resolves when it says that it is ready; shows all else that it says. */
function startLine({ stdout }: ChildProcess): Promise<void> {
  if (!stdout) throw new Error('the daemon has no standard output');
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: stdout });
    lines.on('line', (line) => (/"msg":"vkmemd \S+ ready: /.test(line) ? resolve() : console.error(line)));
    lines.once('close', () => reject(new Error('the daemon ended before it was ready')));
  });
}
