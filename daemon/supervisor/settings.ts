/**
 * The keeper's own part of vkmemd's command line. All else is the daemon's, which reads and checks it; so the keeper
 * needs to know of none of it but where the runtime folder is.
 */
import { readFileSync } from 'node:fs';
import { runtimeDir } from '@vkmemd/proto/kernel';

export interface Settings {
  /** Fds that are kept at most. */
  readonly max: number;
  /** How long a child that was READY may be silent, in ms; undefined: for ever. */
  readonly watchdogMs: number | undefined;
  /** From SIGTERM to SIGKILL, in ms. */
  readonly stopMs: number;
  /** From SIGABRT, for a child that is silent, to SIGKILL, in ms. */
  readonly abortMs: number;
  /** Before a child that ended is started again, in ms: the first time, and at most as it doubles. */
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
  /** How long a child must have been READY for the delay to begin anew, in ms. */
  readonly soundMs: number;
}

export const DEFAULTS: Settings = {
  max: 16384,
  watchdogMs: undefined,
  stopMs: 90_000,
  abortMs: 10_000,
  firstDelayMs: 100,
  longestDelayMs: 10_000,
  soundMs: 60_000,
};

/** What is wrong with the command line, or with what it would need here. Its message is for who wrote it. */
export class SettingsError extends Error {}

/** Option -> what is wanted of its value: a whole number within. */
const NUMBERS = {
  '--keeper-max': { least: 1, max: 1_000_000 },
  '--keeper-watchdog': { least: 1, max: 86_400 },
  '--keeper-stop-timeout': { least: 1, max: 86_400 },
} as const;
type NumberOption = keyof typeof NUMBERS;

/** Fds that the keeper and Node.js need for themselves, and those of a message (at most 253) that is looked at. */
const OWN_FDS = 512;

/**
 * Takes the keeper's options out of the arguments.
 * @returns also the arguments that are left, for the child, and the runtime folder that they name, absolute.
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
    if (name === '--keeper' && value === undefined) continue;
    if (name in NUMBERS) given[name as NumberOption] = number(name as NumberOption, value ?? argv[++at]);
    else rest.push(argv[at] ?? '');
    if (name === '--runtime-dir') folder = value ?? argv[at + 1];
  }
  const [watchdog, stop] = [given['--keeper-watchdog'], given['--keeper-stop-timeout']];
  const settings = {
    ...DEFAULTS,
    max: given['--keeper-max'] ?? DEFAULTS.max,
    ...(watchdog !== undefined && { watchdogMs: watchdog * 1000 }),
    ...(stop !== undefined && { stopMs: stop * 1000 }),
  };
  return { settings, rest, runtimeFolder: runtimeDir(folder) };
}

function number(option: NumberOption, text = ''): number {
  const { least, max } = NUMBERS[option];
  const value = /^\d{1,9}$/.test(text) ? Number(text) : -1;
  if (value >= least && value <= max) return value;
  throw new SettingsError(`${option}: '${text}' is not a whole number from ${least} to ${max}.`);
}

/**
 * Whether this process may have as many fds as it is to keep; its child has the same limit.
 * @throws SettingsError
 */
export function requireFds({ max }: Settings): void {
  const text = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  const allowed = text === 'unlimited' ? Number.POSITIVE_INFINITY : Number(text);
  const needed = max + OWN_FDS;
  if (allowed >= needed) return;
  throw new SettingsError(
    `To keep ${max} fds takes RLIMIT_NOFILE of ${needed}, and it is ${allowed}: raise it, or lower --keeper-max.`,
  );
}
