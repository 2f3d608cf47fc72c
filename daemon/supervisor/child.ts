/**
 * A child of the keeper: one process, from its start to its end.
 *
 * It begins with the kept fds from 3 on, as a service that systemd starts does, in the order of their numbers here: so
 * each moves down, and starting a child takes no more fds than there are. Ending it is asked for first and made
 * sure of later: SIGTERM (or SIGABRT, for one that is silent), then SIGKILL. It is silent when it has said READY=1 and
 * then no WATCHDOG=1 for as long as was agreed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Kept } from './kept-fds.js';
import type { Notice } from './notice.js';
import type { Settings } from './settings.js';

/** What is run: a program and its arguments. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
}

/** How it ended; `failure`: it did not even begin. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly failure?: Error;
}

/** What a manager gives its services, which no child is to have from the keeper's own. */
const OF_MANAGERS = [
  'NOTIFY_SOCKET',
  'FDSTORE',
  'VKMEMD_FDSTORE_MAX',
  'LISTEN_PID',
  'LISTEN_FDS',
  'LISTEN_FDNAMES',
  'LISTEN_PIDFDID',
  'WATCHDOG_PID',
  'WATCHDOG_USEC',
  'MAINPID',
  'VKMEMD_KEEPER',
];

/** This process's environment, with what the keeper says to its child. LISTEN_PID is the child's to fill in. */
function environment(notifySocket: string, kept: readonly Kept[], settings: Settings): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env };
  for (const name of OF_MANAGERS) delete env[name];
  env.VKMEMD_KEEPER = String(process.pid);
  env.NOTIFY_SOCKET = notifySocket;
  env.VKMEMD_FDSTORE_MAX = String(settings.max);
  if (settings.watchdogMs !== undefined) env.WATCHDOG_USEC = String(settings.watchdogMs * 1000);
  if (kept.length > 0) {
    env.LISTEN_FDS = String(kept.length);
    env.LISTEN_FDNAMES = kept.map(({ name }) => name).join(':');
  }
  return env;
}

export class Child {
  /** Undefined where it did not begin. */
  readonly pid: number | undefined;
  readonly ended: Promise<Ended>;
  readonly #process: ChildProcess | undefined;
  readonly #settings: Settings;
  readonly #silent: () => void;
  #readySince: number | undefined;
  #killing: NodeJS.Timeout | undefined;
  #watchdog: NodeJS.Timeout | undefined;
  #over = false;

  /**
   * @param fds Borrowed: the child has copies when this returns.
   * @param silent Told that the watchdog ends it.
   */
  constructor(
    command: Command,
    notifySocket: string,
    fds: readonly Kept[],
    settings: Settings,
    silent: () => void,
  ) {
    this.#settings = settings;
    this.#silent = silent;
    const kept = [...fds].sort((one, other) => one.fd.fd - other.fd.fd);
    try {
      this.#process = spawn(command.file, command.args, {
        stdio: ['inherit', 'inherit', 'inherit', ...kept.map(({ fd }) => fd.fd)],
        env: environment(notifySocket, kept, settings),
      });
    } catch (failure) {
      this.ended = Promise.resolve({ code: null, signal: null, failure: failure as Error });
      return;
    }
    const started = this.#process;
    this.pid = started.pid;
    this.ended = new Promise((resolve) => {
      // After a failed start 'exit' may or may not come too; the first counts.
      started.on('error', (failure) => resolve({ code: null, signal: null, failure }));
      started.once('exit', (code, signal) => {
        this.#over = true;
        clearTimeout(this.#killing);
        clearTimeout(this.#watchdog);
        resolve({ code, signal });
      });
    });
  }

  /** For how long it has been ready, in ms; undefined: it never was. */
  get readyMs(): number | undefined {
    return this.#readySince === undefined ? undefined : performance.now() - this.#readySince;
  }

  /** What it said of itself, which may be heard after its end. */
  heard(notice: Notice): void {
    if (this.#over) return;
    const ready = notice.get('READY') === '1';
    if (ready) this.#readySince ??= performance.now();
    if (notice.get('WATCHDOG') === 'trigger') this.#abort();
    else if (ready || notice.get('WATCHDOG') === '1') this.#awaitNext();
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  /** Asks it to end, and sees to it that it does. A second time nothing changes. */
  stop(): void {
    this.#end('SIGTERM', this.#settings.stopMs);
  }

  #abort(): void {
    this.#silent();
    this.#end('SIGABRT', this.#settings.abortMs);
  }

  #end(signal: NodeJS.Signals, patienceMs: number): void {
    if (this.#killing || this.#over) return;
    clearTimeout(this.#watchdog);
    this.signal(signal);
    this.#killing = setTimeout(() => this.signal('SIGKILL'), patienceMs);
  }

  #awaitNext(): void {
    const { watchdogMs } = this.#settings;
    if (watchdogMs === undefined || this.#readySince === undefined || this.#killing) return;
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#abort(), watchdogMs);
  }
}
