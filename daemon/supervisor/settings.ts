/**
 * The supervisor's part of vkmemd's command line. All other options are the daemon's, which parses and checks
 * them; of those the supervisor reads only where the runtime folder is.
 */
import { readFileSync } from 'node:fs';
import { runtimeDir } from '@vkmemd/proto/kernel';

export interface Settings {
  /** Fds that are stored at most. */
  readonly max: number;
  /** Watchdog timeout of a child that was READY, in ms; undefined: no watchdog. */
  readonly watchdogMs: number | undefined;
  /** From SIGTERM to SIGKILL, in ms. */
  readonly stopMs: number;
  /** From SIGABRT by the watchdog to SIGKILL, in ms. */
  readonly abortMs: number;
  /** Before a child that ended is started again, in ms: the first delay, and the maximum as it doubles. */
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /** How long a child must have been READY for the delay to be reset, in ms. */
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

/**
 * A fault of the command line, or of the environment that it requires. Its message is written for the
 * operator.
 */
export class SettingsError extends Error {}

/** Option -> the range of its value, a whole number. */
const NUMBERS = {
  '--supervisor-max': { min: 1, max: 1_000_000 },
  '--supervisor-watchdog': { min: 1, max: 86_400 },
  '--supervisor-stop-timeout': { min: 1, max: 86_400 },
} as const;
type NumberOption = keyof typeof NUMBERS;

/**
 * Fds that the supervisor and Node.js need themselves, and those of one message (at most 253) that is being
 * received.
 */
const OWN_FDS = 512;

/** The options' former names, accepted for one release. */
const OLD_NAME = /^--keeper(?=$|=|-(?:max|watchdog|stop-timeout)(?:$|=))/;

/**
 * Replaces the old names of the supervisor's options by their names of today.
 * @returns also a warning, of one line, that names each of them; undefined where there is none.
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
 * Takes the supervisor's options out of the arguments.
 * @returns also the remaining arguments, for the child, and the absolute path of the runtime folder that they
 *   name.
 * @throws SettingsError
 */
export function parseSettings(argv: readonly string[]): {
  settings: Settings;
  rest: string[];
  runtimeFolder: string;
} {
  const given: Partial<Record<NumberOption, number>> = {};
  const rest: string[] = [];
  let folder: string | undefined;
  for (let at = 0; at < argv.length; at += 1) {
    const [, name = '', value] = /^(--[^=]+)(?:=(.*))?$/s.exec(argv[at] ?? '') ?? [];
    if (name === '--supervisor' && value === undefined) continue;
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
  return { settings, rest, runtimeFolder: runtimeDir(folder) };
}

function parseNumber(option: NumberOption, text = ''): number {
  const { min, max } = NUMBERS[option];
  const value = /^\d{1,9}$/.test(text) ? Number(text) : -1;
  if (value >= min && value <= max) return value;
  throw new SettingsError(`${option}: '${text}' is not a whole number from ${min} to ${max}.`);
}

/**
 * Checks that RLIMIT_NOFILE, which the child inherits, allows the fds that may be stored.
 * @throws SettingsError
 */
export function requireFds({ max }: Settings): void {
  const text = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  const allowed = text === 'unlimited' ? Number.POSITIVE_INFINITY : Number(text);
  const needed = max + OWN_FDS;
  if (allowed >= needed) return;
  throw new SettingsError(
    `To keep ${max} fds takes RLIMIT_NOFILE of ${needed}, and it is ${allowed}: raise it, or lower --supervisor-max.`,
  );
}
