/**
 * Datagrams with fds between processes that are not connected, as sd_notify(3) sends them.
 *
 * An address is a path, or '@' and a name in the network namespace's abstract space, which has no mode: every
 * process in the namespace can send to it. Sent fds are borrowed, received fds belong to the handler. The
 * kernel attaches the sender's credentials; nothing that a sender says about itself is used.
 *
 * Limits: a datagram has at most 253 fds and must fit the sender's buffer (about 200 KiB). The receiver's
 * queue is short (net.unix.max_dgram_qlen, 10 by default), and the kernel does not notify a sender when there
 * is room: it has to retry.
 */
import { VkmemError } from '../contract/errors.js';
import { closeAll, kSurrender, OwnedFd } from './fd.js';
import { type NativeDatagramReceiver, native, translating } from './native.js';
import { MAX_SOCKET_PATH_BYTES } from './socket.js';

/** The kernel's maximum of fds in one message (SCM_MAX_FD). */
export const MAX_DATAGRAM_FDS = native.maxFdsPerMessage;

/** The sender of a datagram, as the kernel reports it. */
export interface Sender {
  /** 0 for a process outside of this pid namespace. */
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

export interface ReceivedDatagram {
  readonly data: Buffer;
  /** CLOEXEC; the handler owns them. */
  readonly fds: readonly OwnedFd[];
  readonly sender: Sender;
  /** What is missing: the end of the bytes, or fds that this process had no room for. */
  readonly truncated: { readonly data: boolean; readonly fds: boolean };
}

export interface DatagramHandlers {
  message(datagram: ReceivedDatagram): void;
  /** Receiving failed; it is retried. */
  error(error: Error): void;
}

function checkAddress(address: string): void {
  const bytes = Buffer.byteLength(address);
  const name = address.startsWith('@') ? bytes - 1 : bytes;
  if (name === 0 || bytes > MAX_SOCKET_PATH_BYTES || address.includes('\0')) {
    throw new VkmemError(
      'INVALID_ARGUMENT',
      `address: it must have 1 to ${MAX_SOCKET_PATH_BYTES} bytes and no zero byte; this one has ${bytes} bytes.`,
    );
  }
}

/** Sends to one address. */
export class DatagramSender {
  readonly address: string;
  readonly #socket: OwnedFd;

  /** @throws VkmemError INVALID_ARGUMENT for an invalid address; KernelError EMFILE. */
  constructor(address: string) {
    checkAddress(address);
    this.address = address;
    this.#socket = new OwnedFd(native.datagramSocket(), `datagrams to ${address}`);
  }

  /**
   * Sends one datagram, whole or not at all.
   * @param fds Borrowed, at most 253.
   * @returns False where the receiver's queue is full.
   * @throws VkmemError UNAVAILABLE where no receiver is bound, NOT_PERMITTED where the address's mode forbids
   *   it.
   * @throws KernelError otherwise, such as EMSGSIZE.
   */
  send(data: Uint8Array, fds: readonly OwnedFd[] = []): boolean {
    const codes = {
      ENOENT: 'UNAVAILABLE',
      ECONNREFUSED: 'UNAVAILABLE',
      EACCES: 'NOT_PERMITTED',
      EPERM: 'NOT_PERMITTED',
    } as const;
    const numbers = fds.map(({ fd }) => fd);
    return translating(codes, () => native.sendDatagram(this.#socket.fd, this.address, data, numbers));
  }

  close(): void {
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Receives at one address. */
export class DatagramReceiver {
  readonly #native: NativeDatagramReceiver = new native.DatagramReceiver();

  private constructor(socket: OwnedFd, maxBytes: number, on: DatagramHandlers) {
    this.#native.open(
      socket[kSurrender](),
      maxBytes,
      (data, numbers, pid, uid, gid, missing) => {
        const fds = (numbers ?? []).map((fd) => new OwnedFd(fd, 'received with a datagram'));
        const truncated = { data: (missing & 1) !== 0, fds: (missing & 2) !== 0 };
        try {
          on.message({ data, fds, sender: { pid, uid, gid }, truncated });
        } catch (failure) {
          closeAll(fds);
          throw failure;
        }
      },
      (error) => on.error(error),
    );
  }

  /**
   * Creates and binds the socket. Its file has this mode, whatever the umask, and stays when the socket is
   * closed.
   * @param on Its `message` owns the fds. If it throws, they are closed.
   * @param options `maxBytes` of one datagram; default 4096, as much as systemd reads.
   * @throws VkmemError INVALID_ARGUMENT for an invalid address; KernelError from bind() (EADDRINUSE, EACCES,
   *   ENOENT).
   */
  static bind(
    address: string,
    on: DatagramHandlers,
    { mode = 0o600, maxBytes = 4096 } = {},
  ): DatagramReceiver {
    checkAddress(address);
    const socket = new OwnedFd(native.bindDatagram(address, mode), `datagrams at ${address}`);
    return new DatagramReceiver(socket, maxBytes, on);
  }

  /** Receives everything that was sent so far; the handler is called before this returns. */
  drain(): void {
    this.#native.drain();
  }

  /** Stops receiving. Datagrams that were not received are lost, with their fds. */
  close(): void {
    this.#native.close();
  }

  /** Lets the process end although this still receives; ref() takes it back. */
  unref(): this {
    this.#native.keepAlive(false);
    return this;
  }

  ref(): this {
    this.#native.keepAlive(true);
    return this;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
