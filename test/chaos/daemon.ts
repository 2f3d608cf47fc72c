/**
 * The daemon under attack: the compiled vkmemd, unchanged, in a runtime folder of its own, as a user of its own where the
 * harness is root. It can be stopped for a while, made to collect its garbage (programs/collector.ts, loaded beside it),
 * and is watched: its end, and what it logs as a fault, are never right.
 */
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { daemonProgram } from '../support/daemon.js';
import { Companion, type End, programOf, type User } from './companion.js';
import type { Guardian } from './guardian.js';
import { now } from './messages.js';
import { rest } from './rest.js';

const MOST_STOPPING_MS = 20_000;
/** From pino: what is logged at this level is a failure. */
const ERROR_LEVEL = 50;

export interface ChaosDaemonOptions {
  /** A folder that exists; others may pass through. */
  readonly folder: string;
  readonly user: User | undefined;
  /** As TOML. */
  readonly policy: string;
  readonly env: NodeJS.ProcessEnv;
}

/** From when to when it stood still, on the clock of messages.ts. */
export interface Interval {
  readonly fromMs: number;
  readonly toMs: number;
}

export class ChaosDaemon {
  readonly runtimeDir: string;
  readonly device: string;
  readonly stops: Interval[] = [];
  /** What it logged as failures: text -> how often. */
  readonly faults = new Map<string, number>();
  readonly #companion: Companion;
  /** What it writes to standard output. */
  readonly #lines: AsyncIterator<string>;

  private constructor(
    companion: Companion,
    lines: AsyncIterator<string>,
    runtimeDir: string,
    device: string,
  ) {
    this.#companion = companion;
    this.#lines = lines;
    this.runtimeDir = runtimeDir;
    this.device = device;
    const log = companion.log;
    if (log) createInterface({ input: log }).on('line', (line) => this.#note(line));
  }

  /** Resolves when it serves. */
  static async start(guardian: Guardian, options: ChaosDaemonOptions): Promise<ChaosDaemon> {
    const { folder, user, policy, env } = options;
    const runtimeDir = join(folder, 'run');
    mkdirSync(runtimeDir, { mode: 0o755 });
    if (user) chownSync(runtimeDir, user.uid, user.gid);
    const config = join(folder, 'vkmemd.toml');
    writeFileSync(config, policy);
    const companion = new Companion(guardian, {
      args: [
        '--import',
        programOf('collector'),
        daemonProgram,
        '--runtime-dir',
        runtimeDir,
        '--log-level',
        'warn',
        '--config',
        config,
      ],
      user,
      env: { ...env, HOME: runtimeDir },
    });
    if (!companion.output) throw new Error('the daemon has no standard output');
    const lines = createInterface({ input: companion.output })[Symbol.asyncIterator]();
    const { value: line, done } = await lines.next();
    if (!done)
      return new ChaosDaemon(companion, lines, runtimeDir, /device (.*?);/.exec(line)?.[1] ?? 'unknown');
    throw new Error(`the daemon did not start: ${companion.errors}`);
  }

  get pid(): number {
    return this.#companion.pid;
  }

  get ended(): Promise<End> {
    return this.#companion.ended;
  }

  /** Its last words. */
  get errors(): string {
    return this.#companion.errors;
  }

  /** Has it collect its garbage, so that what is resident is what it keeps. */
  async collect(): Promise<void> {
    this.#companion.tell('collect');
    const { value: line } = await this.#lines.next();
    if (line !== 'collected')
      throw new Error(`the daemon could not collect its garbage: ${line ?? 'it ended'}`);
  }

  /** Stops it as it is, and lets it go on. */
  async freeze(forMs: number): Promise<void> {
    const fromMs = now();
    this.#companion.signal('SIGSTOP');
    await rest(forMs);
    this.#companion.signal('SIGCONT');
    this.stops.push({ fromMs, toMs: now() });
  }

  /** Ends it as its service manager does: it is killed where it does not go. */
  async stop(): Promise<End> {
    this.#companion.signal('SIGTERM');
    const killing = setTimeout(() => this.#companion.signal('SIGKILL'), MOST_STOPPING_MS);
    const end = await this.ended;
    clearTimeout(killing);
    return end;
  }

  #note(line: string): void {
    let text = line;
    try {
      const { level, msg, err } = JSON.parse(line) as {
        level?: number;
        msg?: string;
        err?: { message?: string };
      };
      if ((level ?? ERROR_LEVEL) < ERROR_LEVEL) return;
      text = `${msg}: ${err?.message ?? ''}`;
    } catch (failure) {
      // What is no JSON comes from below: the driver, Node.js itself.
      if (!(failure instanceof SyntaxError)) throw failure;
    }
    this.faults.set(text, (this.faults.get(text) ?? 0) + 1);
  }
}
