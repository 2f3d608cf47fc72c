/**
 * Datagrams to the service manager and to journald, sent by unix-dgram.
 *
 * unix-dgram silently truncates a long path, which would address another socket, and supports no abstract
 * addresses: both are refused here. Its binary is bound to one release of Node.js, so it is loaded only where
 * a datagram is to be sent. An open socket keeps the process alive.
 */
type Dgram = typeof import('unix-dgram').default;

/** sizeof(sockaddr_un.sun_path), including the terminating zero. */
const MAX_PATH = 108;

export class DatagramAddress {
  readonly path: string;
  readonly #dgram: Dgram;

  private constructor(path: string, dgram: Dgram) {
    this.path = path;
    this.#dgram = dgram;
  }

  /**
   * @param what The address's name, for the error's text.
   * @throws Error where the path is no address that can be reached, or the addon cannot be loaded.
   */
  static async load(what: string, path: string): Promise<DatagramAddress> {
    if (!path.startsWith('/'))
      throw new Error(`${what}: ${path} is not a path; abstract sockets cannot be reached`);
    if (Buffer.byteLength(path) >= MAX_PATH) throw new Error(`${what} is longer than ${MAX_PATH - 1} bytes`);
    return new DatagramAddress(path, (await import('unix-dgram')).default);
  }

  /** Opens a socket that sends to this address, where no one needs to listen yet. */
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
   * Sends one datagram before it returns, and never waits.
   * @param what The datagram, for the error's text.
   * @throws Error where the receiver's queue is full, or nothing receives there.
   */
  send(what: string, datagram: Buffer): void {
    let failure: Error | undefined;
    this.#socket.send(datagram, 0, datagram.length, this.#path, (error) => {
      failure = error;
    });
    if (failure) throw new Error(`${this.#path} did not take ${what}`, { cause: failure });
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
