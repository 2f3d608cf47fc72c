/** Load on the handoff socket by a process of its own (programs/load.ts), and how long requests waited. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { plainEnvironment, plainNode } from '../support/daemon.js';
import type { LoadReport, Wait } from './programs/load.js';

/** What a request may wait at most, on a machine that has time for it. */
const LIMIT_MS = 20;

const longest = (waits: readonly Wait[]): number => Math.max(0, ...waits.map(([, ms]) => ms));
const above = (waits: readonly Wait[]): number => waits.filter(([, ms]) => ms > LIMIT_MS).length;
const quantile = (waits: readonly Wait[], share: number): number =>
  waits.map(([, ms]) => ms).sort((one, other) => one - other)[Math.floor(waits.length * share)] ?? 0;

export class Load {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  #output = '';

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#child = child;
  }

  /** Resolves when it works. */
  static async start(t: Test, runtimeDir: string, sessions = 3): Promise<Load> {
    const program = fileURLToPath(new URL('programs/load.js', import.meta.url));
    const child = spawn(...plainNode([program, runtimeDir, String(sessions)]), {
      env: plainEnvironment(),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    t.teardown(() => void child.kill('SIGKILL'));
    const load = new Load(child);
    await new Promise<void>((resolve) => {
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        load.#output += text;
        if (load.#output.startsWith('ready\n')) resolve();
      });
    });
    return load;
  }

  /** Ends it. */
  async end(): Promise<LoadReport> {
    const closed = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stdin.end();
    await closed;
    return JSON.parse(this.#output.slice('ready\n'.length)) as LoadReport;
  }
}

/** Asserts that no request failed, and that none waited long. */
export function assertServed(t: Test, what: string, { requests, echoes, failures }: LoadReport): void {
  t.strictSame(failures, [], 'no request of the handoff socket failed');
  const [slow, slowEchoes] = [above(requests), above(echoes)];
  const figures = [0.5, 0.99, 0.999].map(
    (share) => `p${share * 100} ${quantile(requests, share).toFixed(2)}`,
  );
  t.comment(
    `figure: ${what}: ${requests.length} handoff requests, ${figures.join(', ')}, at most ` +
      `${longest(requests).toFixed(1)} ms (an idle process ${longest(echoes).toFixed(1)}); ` +
      `above ${LIMIT_MS} ms: ${slow} (of ${echoes.length} echoes ${slowEchoes})`,
  );
}
