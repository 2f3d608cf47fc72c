/**
 * The journal: lines of the log as its entries, and its native protocol, by which each entry is one datagram
 * to journald's socket.
 *
 * pino writes a line of the log as JSON. It is parsed here, so no caller of the log depends on its
 * destination. An entry has a message, a priority and fields to search by (`journalctl VKMEMD_UID=1000`). The
 * other fields of a line follow its message as name=value, because journalctl shows only the message.
 *
 * A datagram is limited in size: a value longer than MAX_VALUE_BYTES is truncated and ends with a mark. An
 * entry with a dozen such values fits the default socket buffer of Linux.
 */
import { fstatSync } from 'node:fs';
import { DatagramAddress, type DatagramSocket } from './datagram.js';

export const JOURNAL_SOCKET = '/run/systemd/journal/socket';
export const IDENTIFIER = 'vkmemd';

/** Of one value, in bytes of UTF-8. */
export const MAX_VALUE_BYTES = 16_384;
const CUT = '… (cut)';

/** pino's levels and syslog's priorities: a level has the priority of the next lower one here. */
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
 * Fields of a line that do not follow the message: the journal adds them itself, or they are equal in all
 * lines (device).
 */
const NOT_IN_MESSAGE = new Set(['level', 'time', 'pid', 'hostname', 'name', 'msg', 'err', 'device']);

/** Field -> value. A field's name consists of capitals, digits and underscores, and begins with a letter. */
export type Fields = Readonly<Record<string, string>>;

/** An error as pino writes it. */
interface LoggedError {
  readonly message?: unknown;
  readonly stack?: unknown;
  readonly code?: unknown;
}

/** Whether fd is the stream that the manager connected to the journal ($JOURNAL_STREAM: device:inode). */
export function isJournal(fd: number, env: NodeJS.ProcessEnv): boolean {
  const stream = env.JOURNAL_STREAM;
  if (!stream) return false;
  const { dev, ino } = fstatSync(fd, { bigint: true });
  return stream === `${dev}:${ino}`;
}

/** @param line JSON, by pino. Any other text becomes the message of a debug entry. */
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
  // Not within a character of UTF-8: its later bytes are 10xxxxxx.
  while (((value[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return Buffer.concat([value.subarray(0, end), mark]);
}

export class Journal implements Disposable {
  readonly #socket: DatagramSocket;

  private constructor(socket: DatagramSocket) {
    this.#socket = socket;
  }

  /**
   * Opens a socket to send with; journald need not listen yet. The socket keeps the process alive until it is
   * disposed.
   * @throws Error where the addon cannot be loaded, or the path cannot be an address.
   */
  static async open(path: string = JOURNAL_SOCKET): Promise<Journal> {
    return new Journal((await DatagramAddress.load('the journal', path)).open());
  }

  /**
   * Sends an entry before it returns.
   * @throws Error where journald does not receive it now: its queue is full, or it ended.
   */
  send(fields: Fields): void {
    this.#socket.send('an entry', encodeEntry(fields));
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }
}
