/**
 * A line of the log as an entry of the journal: what is to be read, how urgent it is, and fields to search by
 * (`journalctl VKMEMD_UID=1000`).
 *
 * pino makes a line of JSON of what is logged; that is taken apart here, so nobody who logs need know where to. What a
 * line has besides its message stands behind it as name=value, since that is what journalctl shows.
 */
import type { Fields } from './journal.js';

export const IDENTIFIER = 'vkmemd';

/** syslog's priorities, by pino's levels, of which each stands for those above it up to the next. */
const PRIORITIES: readonly (readonly [level: number, priority: number])[] = [
  [60, 2],
  [50, 3],
  [40, 4],
  [30, 6],
];
const DEBUG = 7;

/** What of a line has a field of its own. */
const FIELDS: Readonly<Record<string, string>> = {
  session: 'VKMEMD_SESSION',
  uid: 'VKMEMD_UID',
  allocation: 'VKMEMD_ALLOCATION',
  code: 'VKMEMD_CODE',
  device: 'VKMEMD_DEVICE',
};

/** What of a line the journal knows by itself, stands elsewhere, or is the same in all lines (the device). */
const ELSEWHERE = new Set(['level', 'time', 'pid', 'hostname', 'name', 'msg', 'err', 'device']);

/** An error as pino writes it. */
interface LoggedError {
  readonly message?: unknown;
  readonly stack?: unknown;
  readonly code?: unknown;
}

/** @param line pino's, of JSON; one that is something else is a message. */
export function entryOf(line: string): Fields {
  let said: Record<string, unknown>;
  try {
    said = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return { MESSAGE: line.trimEnd(), PRIORITY: String(DEBUG), SYSLOG_IDENTIFIER: IDENTIFIER };
  }
  const error = (said.err ?? undefined) as LoggedError | undefined;
  const rest = Object.entries(said).filter(([name]) => !ELSEWHERE.has(name));
  const words = [textOf(said.msg ?? 'nothing was said')];
  if (error?.message !== undefined) words.push(`: ${textOf(error.message)}`);
  if (rest.length > 0) words.push(` (${rest.map(([name, value]) => `${name}=${textOf(value)}`).join(' ')})`);
  const own = Object.entries({ code: error?.code, ...said }).filter(
    ([name, value]) => name in FIELDS && value !== undefined && value !== null,
  );
  return {
    MESSAGE: words.join(''),
    PRIORITY: String(priorityOf(said.level)),
    SYSLOG_IDENTIFIER: IDENTIFIER,
    ...Object.fromEntries(own.map(([name, value]) => [FIELDS[name], textOf(value)])),
    ...(error?.stack !== undefined && { VKMEMD_STACK: textOf(error.stack) }),
  };
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

const priorityOf = (level: unknown): number =>
  PRIORITIES.find(([from]) => typeof level === 'number' && level >= from)?.[1] ?? DEBUG;
