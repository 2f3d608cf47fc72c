/**
 * The daemon under attack: the compiled vkmemd, unchanged, in a runtime folder of its own, as a user of its
 * own if the harness is root. It can be stopped for a while and made to collect its garbage
 * (programs/collector.ts, loaded beside it), and is monitored: its end, and a logged error, are always
 * violations.
 */
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { CONTROL_SOCKET } from '@vkmemd/proto';
import { daemonProgram, startLineOf } from '../support/daemon.js';
import { Companion, type End, programOf, type User } from './companion.js';
import type { Guardian } from './guardian.js';
import { now } from './messages.js';
import { rest } from './rest.js';
import { Surroundings } from './surroundings.js';

const MAX_STOPPING_MS = 20_000;
/** From pino: an entry at this level is an error. */
const ERROR_LEVEL = 50;
/** The prefix of its collector's lines. */
const COLLECTOR = 'collector: ';

export interface ChaosDaemonOptions {
  /** An existing folder that other users may traverse. */
  readonly folder: string;
  readonly user: User | undefined;
  /** As TOML. */
  readonly policy: string;
  readonly env: NodeJS.ProcessEnv;
}

/** An interval in which it was stopped, on the clock of messages.ts. */
export interface Interval {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What is in use after a collection, in bytes. */
export interface Collected {
  readonly v8: NodeJS.MemoryUsage;
  /** `free` stays with the C library: of a page in part, at most. */
  readonly malloc: { readonly used: number; readonly free: number };
}

export class ChaosDaemon {
  readonly runtimeDir: string;
  device = 'unknown';
  readonly stops: Interval[] = [];
  /** The errors that it logged: text -> count. */
  readonly faults = new Map<string, number>();
  /** Undefined if the harness is not root. */
  readonly surroundings: Surroundings | undefined;
  readonly #companion: Companion;
  readonly #started: Promise<string | undefined>;
  #collected: (answer: string) => void = () => {};

  private constructor(companion: Companion, runtimeDir: string, surroundings: Surroundings | undefined) {
    this.#companion = companion;
    this.surroundings = surroundings;
    this.runtimeDir = runtimeDir;
    const { log, output } = companion;
    if (!log || !output) throw new Error('the daemon has no standard output');
    createInterface({ input: log }).on('line', (line) => this.#note(line));
    const lines = createInterface({ input: output });
    this.#started = new Promise((resolve) => {
      lines.on('line', (line) => {
        const said = startLineOf(line);
        if (said !== undefined) resolve(said);
        else if (line.startsWith(COLLECTOR)) this.#collected(line.slice(COLLECTOR.length));
        else this.#note(line);
      });
      lines.once('close', () => {
        resolve(undefined);
        this.#collected('it ended');
      });
    });
  }

  /** Resolves when it serves requests. */
  static async start(guardian: Guardian, options: ChaosDaemonOptions): Promise<ChaosDaemon> {
    const { folder, user, policy, env } = options;
    const runtimeDir = join(folder, 'run');
    mkdirSync(runtimeDir, { mode: 0o755 });
    if (user) chownSync(runtimeDir, user.uid, user.gid);
    const config = join(folder, 'vkmemd.toml');
    writeFileSync(config, policy);
    if (user) chownSync(folder, user.uid, user.gid);
    const surroundings = user && (await Surroundings.begin(guardian, folder, runtimeDir, user));
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
      ...(surroundings ? { user: undefined, before: surroundings.before } : { user }),
      // One arena of the C library: with several, threads leave free memory in each, between what they still use,
      // which the library cannot return. How much depends on the largest number of requests at one moment.
      env: { ...env, ...surroundings?.environment, HOME: runtimeDir, MALLOC_ARENA_MAX: '1' },
    });
    const daemon = new ChaosDaemon(companion, runtimeDir, surroundings);
    const line = await daemon.#started;
    if (line === undefined) throw new Error(`the daemon did not start: ${companion.errors}`);
    daemon.device = /device (.*?);/.exec(line)?.[1] ?? daemon.device;
    return daemon;
  }

  get pid(): number {
    return this.#companion.pid;
  }

  get controlSocket(): string {
    return join(this.runtimeDir, CONTROL_SOCKET);
  }

  get ended(): Promise<End> {
    return this.#companion.ended;
  }

  /** The last part of its standard error. */
  get errors(): string {
    return this.#companion.errors;
  }

  /**
   * Makes it collect its garbage, so that resident memory is what it retains.
   *
   * @returns what V8 and the C library use then, in bytes.
   */
  async collect(): Promise<Collected> {
    const answer = await new Promise<string>((resolve) => {
      this.#collected = resolve;
      this.#companion.send('collect');
    });
    const [, used, free, v8] = /^done (\d+) (\d+) (.*)$/.exec(answer) ?? [];
    if (v8 === undefined) throw new Error(`the daemon could not collect its garbage: ${answer}`);
    return { v8: JSON.parse(v8) as NodeJS.MemoryUsage, malloc: { used: Number(used), free: Number(free) } };
  }

  /** Stops it, and continues it after this time. */
  async freeze(forMs: number): Promise<void> {
    const fromMs = now();
    this.#companion.signal('SIGSTOP');
    await rest(forMs);
    this.#companion.signal('SIGCONT');
    this.stops.push({ fromMs, toMs: now() });
  }

  /** Ends it as its service manager does: it is killed if it does not end. */
  async stop(): Promise<End> {
    this.#companion.signal('SIGTERM');
    const killing = setTimeout(() => this.#companion.signal('SIGKILL'), MAX_STOPPING_MS);
    const end = await this.ended;
    clearTimeout(killing);
    this.surroundings?.end();
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
      // Text that is not JSON comes from the driver or Node.js itself.
      if (!(failure instanceof SyntaxError)) throw failure;
    }
    this.faults.set(text, (this.faults.get(text) ?? 0) + 1);
  }
}
