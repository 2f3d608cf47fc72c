/**
 * Sends datagrams to the service manager and to journald, with unix-dgram.
 *
 * unix-dgram silently truncates a long path, which would address another socket, and does not support
 * abstract addresses; both are refused here. Its binary works with one release of Node.js only, so it is
 * loaded only if a datagram is to be sent. An open socket keeps the process alive.
 */
import { createRequire } from 'node:module';
import { VkmemError } from '@vkmemd/proto/kernel';

type Dgram = typeof import('unix-dgram').default;

/** What vkmemd's npm package depends on in place of unix-dgram: the same, built for vkmemd's own Node.js. */
const BUILT = `@vkmemd/unix-dgram-linux-${process.arch}`;

/** sizeof(sockaddr_un.sun_path), including the terminating zero. */
const MAX_PATH = 108;

/** @throws Error if no unix-dgram is installed, or it was built for another Node.js. */
async function loadDgram(): Promise<Dgram> {
  try {
    return (await import('unix-dgram')).default;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    return createRequire(import.meta.url)(BUILT) as Dgram;
  }
}

export class DatagramAddress {
  readonly path: string;
  readonly #dgram: Dgram;

  private constructor(path: string, dgram: Dgram) {
    this.path = path;
    this.#dgram = dgram;
  }

  /**
   * @param what The name of the address, for the error text.
   * @throws VkmemError INVALID_ARGUMENT if the path is not a supported address; Error if the addon cannot be
   *   loaded.
   */
  static async load(what: string, path: string): Promise<DatagramAddress> {
    const bytes = Buffer.byteLength(path);
    const wrong = !path.startsWith('/')
      ? 'is not an absolute path; abstract sockets are not supported.'
      : bytes >= MAX_PATH && `has ${bytes} bytes; a socket path has at most ${MAX_PATH - 1}.`;
    if (wrong) {
      const next = `Use an absolute path of at most ${MAX_PATH - 1} bytes.`;
      const reason = `${what}: ${path.slice(0, 200)} ${wrong}`;
      throw new VkmemError('INVALID_ARGUMENT', reason, {}, undefined, next);
    }
    return new DatagramAddress(path, await loadDgram());
  }

  /** Opens a socket that sends to this address. The receiver need not exist yet. */
  open(): DatagramSocket {
    return new DatagramSocket(this.path, this.#dgram.createSocket('unix_dgram'));
  }
}

export class DatagramSocket implements Disposable {
  readonly #path: string;
  readonly #socket: ReturnType<Dgram['createSocket']>;

  constructor(path: string, socket: ReturnType<Dgram['createSocket']>) {
    this.#path = path;
    this.#socket = socket;
  }

  /**
   * Sends one datagram before it returns. It never waits.
   * @param what The name of the datagram, for the error text.
   * @throws Error if the receiver's queue is full, or there is no receiver.
   */
  send(what: string, datagram: Buffer): void {
    let failure: Error | undefined;
    this.#socket.send(datagram, 0, datagram.length, this.#path, (error) => {
      failure = error;
    });
    if (failure)
      throw new Error(`${this.#path} did not receive ${what}: ${failure.message}`, { cause: failure });
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
