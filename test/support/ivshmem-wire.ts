/**
 * An ivshmem socket as an independent client sees it: words and fds, without the client library. Data that it
 * does not read stays in the socket.
 */
import {
  closeAll,
  FdStream,
  type OwnedFd,
  openStream,
  seqpacketPair,
  type Word,
  WordReader,
} from '@vkmemd/proto';
import { until } from './supervised-daemon.js';

export class IvshmemWire {
  readonly words: Word[] = [];
  readonly #stream: FdStream;
  readonly #reader = new WordReader();
  #closed = false;

  /** @param at the socket's path, or a connection, which this object then owns. */
  constructor(at: string | OwnedFd) {
    const socket = typeof at === 'string' ? openStream(at) : at;
    const handlers = {
      data: (bytes: Buffer, fds: OwnedFd[]) => this.words.push(...this.#reader.read(bytes, fds)),
      close: () => {
        this.#closed = true;
      },
    };
    this.#stream = new FdStream(socket, handlers, { maxFds: 1 });
  }

  /** Whether the daemon has closed the connection. */
  get hungUp(): boolean {
    return this.#closed;
  }

  /**
   * Waits for this many words and removes them all. Returns each word as text, with '+' if it carried an fd.
   */
  async received(count: number): Promise<string[]> {
    await until(`${count} words; ${this.words.length} came`, () => this.words.length >= count || undefined);
    return this.words.splice(0).map(({ value, fd }) => {
      fd?.close();
      return fd ? `${value}+` : String(value);
    });
  }

  /** Waits until the daemon has closed the connection. @returns the number of words received by then. */
  async end(): Promise<number> {
    await until('the daemon closes the connection', () => this.#closed || undefined);
    return this.words.length;
  }

  /** Sends data, which no client of the protocol does. */
  say(bytes: Uint8Array, withFd = false): void {
    const pair = withFd ? seqpacketPair() : [];
    this.#stream.send(bytes, pair[0]);
    closeAll(pair);
  }

  close(): void {
    closeAll(this.words.splice(0).flatMap(({ fd }) => (fd ? [fd] : [])));
    this.#stream.close();
  }
}

/** Connects, and never reads. */
export class SilentVmm {
  readonly socket: OwnedFd;

  constructor(path: string) {
    this.socket = openStream(path);
  }

  close(): void {
    this.socket.close();
  }
}
