/**
 * The supervisor's options of vkmemd's command line. The daemon parses and checks all other options; of these
 * the supervisor reads only --runtime-dir, and with --all those that cannot be the same for several daemons (gpus.ts).
 */
import { readFileSync } from 'node:fs';
import { ivshmemDir, runtimeDir } from '@vkmemd/proto/kernel';

export interface Settings {
  /** The maximum number of stored fds. */
  readonly max: number;
  /** Watchdog timeout of a child that has become ready, in ms; undefined: no watchdog. */
  readonly watchdogMs: number | undefined;
  /** The time from SIGTERM to SIGKILL, in ms. */
  readonly stopMs: number;
  /** The time from the watchdog's SIGABRT to SIGKILL, in ms. */
  readonly abortMs: number;
  /** The delay before a child is restarted, in ms. It doubles each time, from the first to the maximum. */
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /** The time after which a child that is ready resets the delay, in ms. */
  readonly stableMs: number;
}

export const DEFAULTS: Settings = {
  max: 16384,
  watchdogMs: undefined,
  stopMs: 90_000,
  abortMs: 10_000,
  firstDelayMs: 100,
  maxDelayMs: 10_000,
  stableMs: 60_000,
};

/** A fault of the command line, or of the environment that it requires. Its message is printed. */
export class SettingsError extends Error {}

/** The range of each option's value, a whole number. */
const NUMBERS = {
  '--supervisor-max': { min: 1, max: 1_000_000 },
  '--supervisor-watchdog': { min: 1, max: 86_400 },
  '--supervisor-stop-timeout': { min: 1, max: 86_400 },
} as const;
const FLAGS: ReadonlySet<string> = new Set(['--supervisor', '--all', '--with-cpu']);
type NumberOption = keyof typeof NUMBERS;

/**
 * Fds for the supervisor and Node.js themselves, and for one message (at most 253 fds) that is being
 * received.
 */
const OWN_FDS = 512;

/** The former names of the options, accepted for one release. */
const OLD_NAME = /^--keeper(?=$|=|-(?:max|watchdog|stop-timeout)(?:$|=))/;

/**
 * Replaces the old names of the supervisor's options by the current ones.
 * @returns the arguments, and a warning of one line with the replaced names; undefined if there are none.
 */
export function replaceOldNames(given: readonly string[]): { argv: string[]; warning: string | undefined } {
  const replaced = new Map<string, string>();
  const argv = given.map((argument) => {
    if (!OLD_NAME.test(argument)) return argument;
    const current = argument.replace(OLD_NAME, '--supervisor');
    replaced.set(argument.replace(/=.*/s, ''), current.replace(/=.*/s, ''));
    return current;
  });
  if (replaced.size === 0) return { argv, warning: undefined };
  const names = [...replaced].map(([old, current]) => `${old} is now ${current}`);
  const warning = `${names.join(', ')}. The old names are accepted for this release only.`;
  return { argv, warning };
}

/**
 * Separates the supervisor's options from the arguments.
 * @returns the settings, the remaining arguments, for the child, and the absolute path of the runtime folder.
 * @throws SettingsError
 */
export function parseSettings(argv: readonly string[]): {
  settings: Settings;
  /** Whether the maximum of stored fds is given, and not the default. */
  isMaxGiven: boolean;
  /** Whether there is a daemon for each GPU; and also for devices of type CPU. */
  all: boolean;
  withCpu: boolean;
  rest: string[];
  runtimeFolder: string;
  ivshmemFolder: string;
} {
  const given: Partial<Record<NumberOption, number>> = {};
  const rest: string[] = [];
  const flags = new Set<string>();
  let folder: string | undefined;
  for (let at = 0; at < argv.length; at += 1) {
    const [, name = '', value] = /^(--[^=]+)(?:=(.*))?$/s.exec(argv[at] ?? '') ?? [];
    if (value === undefined && FLAGS.has(name)) {
      flags.add(name);
      continue;
    }
    if (name in NUMBERS) given[name as NumberOption] = parseNumber(name as NumberOption, value ?? argv[++at]);
    else rest.push(argv[at] ?? '');
    if (name === '--runtime-dir') folder = value ?? argv[at + 1];
  }
  const [watchdog, stop] = [given['--supervisor-watchdog'], given['--supervisor-stop-timeout']];
  const settings = {
    ...DEFAULTS,
    max: given['--supervisor-max'] ?? DEFAULTS.max,
    ...(watchdog !== undefined && { watchdogMs: watchdog * 1000 }),
    ...(stop !== undefined && { stopMs: stop * 1000 }),
  };
  const [all, withCpu] = [flags.has('--all'), flags.has('--with-cpu')];
  if (withCpu && !all) throw new SettingsError('--with-cpu needs --all.');
  const folders = { runtimeFolder: runtimeDir(folder), ivshmemFolder: ivshmemDir(folder) };
  return { settings, isMaxGiven: given['--supervisor-max'] !== undefined, all, withCpu, rest, ...folders };
}

function parseNumber(option: NumberOption, text = ''): number {
  const { min, max } = NUMBERS[option];
  const value = /^\d{1,9}$/.test(text) ? Number(text) : -1;
  if (value >= min && value <= max) return value;
  throw new SettingsError(`${option}: '${text}' is not a whole number from ${min} to ${max}.`);
}

/** RLIMIT_NOFILE of this process, which the children inherit. */
function allowedFds(): number {
  const text = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return text === 'unlimited' ? Number.POSITIVE_INFINITY : Number(text);
}

/**
 * Checks that RLIMIT_NOFILE is large enough for the maximum of stored fds of each daemon.
 * @throws SettingsError
 */
export function requireFds({ max }: Settings, daemons = 1): void {
  const needed = max * daemons + OWN_FDS;
  const allowed = allowedFds();
  if (allowed >= needed) return;
  const what = daemons === 1 ? `${max} fds` : `${max} fds for each of ${daemons} daemons`;
  throw new SettingsError(
    `Storing ${what} requires RLIMIT_NOFILE ${needed}, but it is ${allowed}: raise it, or lower --supervisor-max.`,
  );
}

/**
 * The maximum of stored fds of each of several daemons where none is given: the default, or an equal share of what
 * RLIMIT_NOFILE allows.
 */
export function sharedMax(daemons: number, allowed = allowedFds()): number {
  return Math.max(1, Math.min(DEFAULTS.max, Math.floor((allowed - OWN_FDS) / daemons)));
}
