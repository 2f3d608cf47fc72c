/** A supervisor whose child is programs/child.ts, for one test: commands, and the child's reports. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import type { Settings } from 'vkmemd/dist/supervisor/settings.js';
import { until } from '../native/open-fds.js';
import { plainEnvironment, plainNode, temporaryFolder } from '../support/daemon.js';
import type { Order } from './programs/child.js';

const program = (name: string) => fileURLToPath(new URL(`programs/${name}.js`, import.meta.url));

/** What a child reports when it starts. */
export interface Begun {
  readonly pid: number;
  /** Whether the variables of its environment name its own pid; undefined where there are none. */
  readonly mine?: boolean;
  readonly inherited: readonly [string, string][];
  readonly capacity: number;
  readonly watchdog?: readonly [number, boolean];
  readonly left: readonly string[];
}

/** A line of the supervisor's log. */
interface Logged {
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface SupervisorUnderTest {
  readonly process: ChildProcess;
  /** Its socket's path. */
  readonly address: string;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** The first report since the previous call that matches. */
  next<T>(is: (said: Record<string, unknown>) => T | undefined): Promise<T>;
  begun(): Promise<Begun>;
  send(order: Order): void;
  /** Resolves when the child has done it; for a child that ends by it, once it was sent. */
  order(order: Order): Promise<void>;
  logged(message: RegExp): Logged[];
  /** The number of open fds of the supervisor. */
  fds(): number;
}

/** Short delays; the supervisor's own are seconds. */
const FAST: Partial<Settings> = { firstDelayMs: 20, maxDelayMs: 80, abortMs: 300, stopMs: 10_000 };

/** @param before shell commands that run before the supervisor is executed. */
export function startSupervisor(
  t: Test,
  settings: Partial<Settings> = {},
  env: NodeJS.ProcessEnv = {},
  before = '',
): SupervisorUnderTest {
  const folder = temporaryFolder(t);
  const args = [program('supervisor'), folder, JSON.stringify({ ...FAST, ...settings }), program('child')];
  const [command, rest] = plainNode(args);
  const shell = ['-c', `${before} exec "$@"`, 'bash', command, ...rest];
  const supervisor = spawn('bash', shell, { env: { ...plainEnvironment(), ...env } });
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    supervisor.once('exit', (code, signal) => resolve({ code, signal }));
  });
  const said: Record<string, unknown>[] = [];
  createInterface({ input: supervisor.stdout }).on('line', (line) => said.push(JSON.parse(line)));
  const log: Logged[] = [];
  createInterface({ input: supervisor.stderr }).on('line', (line) => {
    if (line.startsWith('{')) log.push(JSON.parse(line));
    else console.error(line);
  });
  t.teardown(async () => {
    if (supervisor.exitCode === null && supervisor.signalCode === null) supervisor.kill('SIGKILL');
    await ended;
  });
  const next: SupervisorUnderTest['next'] = async (is) => {
    for (;;) {
      await until(() => said.length > 0, 20_000);
      const found = is(said.shift() ?? {});
      if (found !== undefined) return found;
    }
  };
  const send = (order: Order) => void supervisor.stdin.write(`${JSON.stringify(order)}\n`);
  return {
    process: supervisor,
    address: `${folder}/notify`,
    ended,
    next,
    begun: () => next((line) => (line.pid === undefined ? undefined : (line as unknown as Begun))),
    send,
    order: async (order) => {
      send(order);
      if (order.exit !== undefined || order.thenDie) return;
      await next((line) => {
        if (line.failed !== undefined) throw new Error(String(line.failed));
        return line.done === undefined ? undefined : true;
      });
    },
    logged: (message) => log.filter(({ msg }) => message.test(msg)),
    fds: () => readdirSync(`/proc/${supervisor.pid}/fd`).length,
  };
}

export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
