/**
 * The systemd journal: converts lines of the log to journal entries, and sends them by the journal's native
 * protocol, in which each entry is one datagram to journald's socket.
 *
 * pino writes a line of the log as JSON. It is parsed here, so that callers of the log do not depend on its
 * destination. An entry has a message, a priority and fields to search by (`journalctl VKMEMD_UID=1000`). All
 * other fields of a line are appended to the message as name=value, because journalctl shows only the
 * message.
 *
 * The size of a datagram is limited: a value longer than MAX_VALUE_BYTES is truncated and ends with a mark.
 * An entry with a dozen such values fits into the default socket buffer of Linux.
 */
import { fstatSync } from 'node:fs';
import { DatagramAddress, type DatagramSocket } from './datagram.js';

export const JOURNAL_SOCKET = '/run/systemd/journal/socket';
export const IDENTIFIER = 'vkmemd';

/** The maximum length of a value, in bytes of UTF-8. */
export const MAX_VALUE_BYTES = 16_384;
const CUT = '… (cut)';

/**
 * pino's levels with syslog's priorities. A level that is not listed has the priority of the next lower one.
 */
const PRIORITIES: readonly (readonly [level: number, priority: number])[] = [
  [60, 2],
  [50, 3],
  [40, 4],
  [30, 6],
];
const DEBUG = 7;

/** Fields of a line that become fields of the entry. */
const FIELDS: Readonly<Record<string, string>> = {
  session: 'VKMEMD_SESSION',
  tenant: 'VKMEMD_TENANT',
  uid: 'VKMEMD_UID',
  allocation: 'VKMEMD_ALLOCATION',
  code: 'VKMEMD_CODE',
  device: 'VKMEMD_DEVICE',
};

/**
 * Fields of a line that are not appended to the message: the journal adds them itself, or they are equal in
 * all lines (device).
 */
const NOT_IN_MESSAGE = new Set(['level', 'time', 'pid', 'hostname', 'name', 'msg', 'err', 'device']);

/** The fields of an entry. A name consists of capitals, digits and underscores, and begins with a letter. */
export type Fields = Readonly<Record<string, string>>;

/** An error as pino writes it. */
interface LoggedError {
  readonly message?: unknown;
  readonly stack?: unknown;
  readonly code?: unknown;
}

/** Whether `fd` is the stream that systemd connected to the journal ($JOURNAL_STREAM, device:inode). */
export function isJournal(fd: number, env: NodeJS.ProcessEnv): boolean {
  const stream = env.JOURNAL_STREAM;
  if (!stream) return false;
  const { dev, ino } = fstatSync(fd, { bigint: true });
  return stream === `${dev}:${ino}`;
}

/** The entry of a line. @param line JSON by pino; any other text becomes the message of a debug entry. */
export function entryOf(line: string): Fields {
  let logged: Record<string, unknown>;
  try {
    logged = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return { MESSAGE: line.trimEnd(), PRIORITY: String(DEBUG), SYSLOG_IDENTIFIER: IDENTIFIER };
  }
  const error = (logged.err ?? undefined) as LoggedError | undefined;
  const rest = Object.entries(logged).filter(([name]) => !NOT_IN_MESSAGE.has(name));
  const message = [textOf(logged.msg ?? 'no message')];
  if (error?.message !== undefined) message.push(`: ${textOf(error.message)}`);
  if (rest.length > 0)
    message.push(` (${rest.map(([name, value]) => `${name}=${textOf(value)}`).join(' ')})`);
  const fields = Object.entries({ code: error?.code, ...logged }).filter(
    ([name, value]) => name in FIELDS && value !== undefined && value !== null,
  );
  return {
    MESSAGE: message.join(''),
    PRIORITY: String(priorityOf(logged.level)),
    SYSLOG_IDENTIFIER: IDENTIFIER,
    ...Object.fromEntries(fields.map(([name, value]) => [FIELDS[name], textOf(value)])),
    ...(error?.stack !== undefined && { VKMEMD_STACK: textOf(error.stack) }),
  };
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

const priorityOf = (level: unknown): number =>
  PRIORITIES.find(([from]) => typeof level === 'number' && level >= from)?.[1] ?? DEBUG;

/**
 * An entry as a datagram: lines of FIELD=value. A value that contains a newline is binary: the field's name,
 * a newline, the value's length as 8 bytes, little-endian, the value, a newline.
 */
export function encodeEntry(fields: Fields): Buffer {
  const parts: Buffer[] = [];
  for (const [name, text] of Object.entries(fields)) {
    const value = truncated(Buffer.from(text));
    if (value.includes('\n')) {
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(value.length));
      parts.push(Buffer.from(`${name}\n`), length, value);
    } else {
      parts.push(Buffer.from(`${name}=`), value);
    }
    parts.push(Buffer.from('\n'));
  }
  return Buffer.concat(parts);
}

function truncated(value: Buffer): Buffer {
  if (value.length <= MAX_VALUE_BYTES) return value;
  const mark = Buffer.from(CUT);
  let end = MAX_VALUE_BYTES - mark.length;
  // Does not split a character: the later bytes of a character in UTF-8 are 10xxxxxx.
  while (((value[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return Buffer.concat([value.subarray(0, end), mark]);
}

export class Journal implements Disposable {
  readonly #socket: DatagramSocket;

  private constructor(socket: DatagramSocket) {
    this.#socket = socket;
  }

  /**
   * Opens a socket for sending; journald need not run yet. The socket keeps the process alive until it is
   * disposed.
   * @throws Error if the addon cannot be loaded, or the path is not a valid address.
   */
  static async open(path: string = JOURNAL_SOCKET): Promise<Journal> {
    return new Journal((await DatagramAddress.load('the journal', path)).open());
  }

  /**
   * Sends an entry before it returns.
   * @throws Error if journald does not receive it: its queue is full, or it has ended.
   */
  send(fields: Fields): void {
    this.#socket.send('an entry', encodeEntry(fields));
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }
}
