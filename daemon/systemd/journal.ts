/**
 * The journal's native protocol: one datagram an entry, of FIELD=value lines, to journald's socket. A value with a newline
 * in it goes in binary: the field's name, a newline, the value's length in 8 bytes, little-endian, the value, a newline.
 *
 * A datagram has its limits, so a value longer than MAX_VALUE_BYTES is cut, and ends with a mark that says so; an entry of
 * a dozen such values fits the buffer that Linux gives a socket by default. unix-dgram sends without ever waiting: a
 * journal that is full or gone is a failure, which the caller sees.
 */
import { fstatSync } from 'node:fs';
import { requireAddress } from './address.js';

type Dgram = typeof import('unix-dgram').default;
type Socket = ReturnType<Dgram['createSocket']>;

export const JOURNAL_SOCKET = '/run/systemd/journal/socket';

/** Of one value, in bytes of UTF-8. */
export const MAX_VALUE_BYTES = 16_384;
const CUT = '… (cut)';

/** Field -> value; a field's name has capitals, digits and underscores, and begins with a letter. */
export type Fields = Readonly<Record<string, string>>;

/** Whether a standard stream is the one that the manager connected to the journal ($JOURNAL_STREAM: device:inode). */
export function isJournal(fd: number, env: NodeJS.ProcessEnv): boolean {
  const stream = env.JOURNAL_STREAM;
  if (!stream) return false;
  const { dev, ino } = fstatSync(fd, { bigint: true });
  return stream === `${dev}:${ino}`;
}

/** An entry as a datagram. */
export function encodeEntry(fields: Fields): Buffer {
  const parts: Buffer[] = [];
  for (const [name, text] of Object.entries(fields)) {
    const value = cut(Buffer.from(text));
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

function cut(value: Buffer): Buffer {
  if (value.length <= MAX_VALUE_BYTES) return value;
  const mark = Buffer.from(CUT);
  let end = MAX_VALUE_BYTES - mark.length;
  // Not within a character: its later bytes are 10xxxxxx.
  while (((value[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return Buffer.concat([value.subarray(0, end), mark]);
}

export class Journal {
  readonly #path: string;
  readonly #socket: Socket;

  private constructor(path: string, socket: Socket) {
    this.#path = path;
    this.#socket = socket;
  }

  /**
   * Opens a socket to send by; journald need not listen yet. It keeps the process alive until it is closed.
   * @throws Error where the addon cannot be loaded, or the path cannot be an address.
   */
  static async open(path: string = JOURNAL_SOCKET): Promise<Journal> {
    requireAddress('the journal', path);
    const { default: dgram } = await import('unix-dgram');
    return new Journal(path, dgram.createSocket('unix_dgram'));
  }

  /** Sent when it returns. @throws Error where journald does not take it now. */
  send(fields: Fields): void {
    const entry = encodeEntry(fields);
    let failure: Error | undefined;
    this.#socket.send(entry, 0, entry.length, this.#path, (error) => {
      failure = error;
    });
    if (failure) throw new Error(`${this.#path} did not take an entry`, { cause: failure });
  }

  close(): void {
    this.#socket.close();
  }
}
