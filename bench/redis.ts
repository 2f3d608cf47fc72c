/**
 * Redis on a Unix socket, with one value that is stored once, and a client that receives it into memory of its own, as
 * a program would that needs the bytes. What is received is not copied again.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { Program } from './program.js';

const SERVER = 'redis-server';
const GET = '*2\r\n$3\r\nGET\r\n$5\r\nbytes\r\n';
/** Of an answer, around the bytes. */
const HEADER_BYTES = 32;
const READ_BYTES = 1 << 20;
const START_MS = 5000;
const ATTEMPT_MS = 20;

export class Redis implements AsyncDisposable {
  readonly #server: Program;
  readonly #socket: Socket;
  readonly #into: Buffer;
  /** The bytes of the answer so far, and the whole length of the one that is waited for. */
  #received = 0;
  #expected = 0;
  #done: (() => void) | undefined;

  private constructor(server: Program, path: string, bytes: number) {
    this.#server = server;
    this.#into = Buffer.alloc(bytes + HEADER_BYTES);
    this.#socket = connect({
      path,
      onread: {
        buffer: () => this.#into.subarray(this.#received, this.#received + READ_BYTES),
        callback: (count) => {
          this.#received += count;
          if (this.#received >= this.#expected) {
            // Before the next buffer is asked for, which is that of the next answer's begin.
            this.#received = 0;
            this.#done?.();
          }
          return true;
        },
      },
    });
  }

  /**
   * Starts a server, on this process's processors, and stores the bytes.
   * @param folder for its socket; the caller removes it.
   * @throws Error where Redis is not installed or does not serve.
   */
  static async start(folder: string, bytes: number): Promise<Redis> {
    const path = join(folder, 'redis.sock');
    const own = ['--port', '0', '--unixsocket', path, '--dir', folder];
    const quiet = ['--save', '', '--appendonly', 'no', '--logfile', join(folder, 'redis.log')];
    const server = Program.server(SERVER, [...own, ...quiet]);
    try {
      await serving(path);
      const redis = new Redis(server, path, bytes);
      await redis.#store(bytes);
      return redis;
    } catch (failure) {
      server.kill();
      throw failure;
    }
  }

  /** Receives the bytes. @returns them, valid until the next call. */
  async get(): Promise<Buffer> {
    const length = this.#into.length - HEADER_BYTES;
    const header = `$${length}\r\n`;
    await this.#ask([GET], header.length + length + 2);
    if (this.#into.toString('latin1', 0, header.length) !== header) throw new Error('Redis has other bytes');
    return this.#into.subarray(header.length, header.length + length);
  }

  async #store(bytes: number): Promise<void> {
    const value = Buffer.alloc(bytes, 1);
    await this.#ask([`*3\r\n$3\r\nSET\r\n$5\r\nbytes\r\n$${bytes}\r\n`, value, '\r\n'], '+OK\r\n'.length);
  }

  /** @param expected The length of the answer. */
  async #ask(parts: readonly (string | Buffer)[], expected: number): Promise<void> {
    this.#expected = expected;
    const done = new Promise<void>((resolve, reject) => {
      this.#done = resolve;
      this.#socket.once('close', () => reject(new Error('Redis closed the connection')));
    });
    for (const part of parts) this.#socket.write(part);
    await done.finally(() => this.#socket.removeAllListeners('close'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    await this.#server.terminate();
  }
}

/** Resolves when a server accepts connections. */
async function serving(path: string): Promise<void> {
  for (const end = Date.now() + START_MS; ; ) {
    const socket = connect({ path });
    try {
      await once(socket, 'connect');
      return;
    } catch (failure) {
      if (Date.now() > end) throw new Error(`${SERVER} does not serve`, { cause: failure });
      await new Promise((resolve) => setTimeout(resolve, ATTEMPT_MS));
    } finally {
      socket.destroy();
    }
  }
}
