/**
 * Datagrams with fds between processes that are not connected, the way sd_notify(3) sends them.
 *
 * An address is a path, or '@' and an abstract name. An abstract name has no file mode: every process in the
 * network namespace can send to it. Sent fds are borrowed; received fds belong to the handler. The kernel
 * attaches the sender's credentials, and only these identify the sender.
 *
 * Limits: a datagram has at most 253 fds and must fit the sender's buffer (about 200 KiB). The receiver's
 * queue is short (net.unix.max_dgram_qlen, 10 by default). The kernel does not notify a sender when there is
 * room again, so the sender has to retry.
 */
import { VkmemError } from '../contract/errors.js';
import { closeAll, kSurrender, OwnedFd } from './fd.js';
import { isKernelError, type NativeDatagramReceiver, native, translating } from './native.js';
import { MAX_SOCKET_PATH_BYTES } from './socket.js';

/** The maximum number of fds in one message (the kernel's SCM_MAX_FD). */
export const MAX_DATAGRAM_FDS = native.maxFdsPerMessage;

/** The sender of a datagram, as the kernel reports it. */
export interface Sender {
  /** The process id; 0 for a process outside of this pid namespace. */
  readonly pid: number;
  /** In this user namespace. */
  readonly uid: number;
  /** In this user namespace. */
  readonly gid: number;
}

/** A datagram as received. */
export interface ReceivedDatagram {
  /** The bytes, a copy. */
  readonly data: Buffer;
  /** CLOEXEC; the handler owns them. */
  readonly fds: readonly OwnedFd[];
  /** The process that sent it. */
  readonly sender: Sender;
  /** What was lost. data: the end of the bytes; fds: fds that this process could not receive (EMFILE). */
  readonly truncated: { readonly data: boolean; readonly fds: boolean };
}

/** The callbacks of a DatagramReceiver. */
export interface DatagramHandlers {
  /** A datagram was received. The handler owns its fds; if it throws, they are closed. */
  message(datagram: ReceivedDatagram): void;
  /** Receiving failed. It is retried after 50 ms. */
  error(error: Error): void;
}

function checkAddress(address: string, field = 'address'): void {
  const bytes = Buffer.byteLength(address);
  const name = address.startsWith('@') ? bytes - 1 : bytes;
  if (name === 0 || bytes > MAX_SOCKET_PATH_BYTES || address.includes('\0')) {
    const limit = `an address has 1 to ${MAX_SOCKET_PATH_BYTES} bytes and no zero byte`;
    const reason = `${field}: ${address.slice(0, 200)} has ${bytes} bytes; ${limit}.`;
    const next = 'Use a path, or @ and an abstract name, within that limit.';
    throw new VkmemError('INVALID_ARGUMENT', reason, { field }, undefined, next);
  }
}

/** Sends datagrams to one address. */
export class DatagramSender {
  /** The address of the receiver. */
  readonly address: string;
  readonly #socket: OwnedFd;

  /**
   * @param field What the error names.
   * @throws VkmemError INVALID_ARGUMENT for an invalid address; KernelError EMFILE.
   */
  constructor(address: string, field?: string) {
    checkAddress(address, field);
    this.address = address;
    this.#socket = new OwnedFd(native.datagramSocket(), `datagrams to ${address}`);
  }

  /**
   * Sends one datagram, completely or not at all.
   * @param fds Borrowed, at most 253.
   * @returns False where the receiver's queue is full.
   * @throws VkmemError UNAVAILABLE where no receiver is bound to the address, NOT_PERMITTED where its file
   *   mode forbids sending.
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

  /** Closes the socket. */
  close(): void {
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Receives the datagrams of one address. */
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
   * Creates and binds a socket. Its file has the given mode, regardless of the umask, and remains when the
   * socket is closed.
   * @param on The callbacks.
   * @param options `mode` of the file, default 0o600; `maxBytes` of one datagram, default 4096, which is
   *   systemd's limit.
   * @throws VkmemError INVALID_ARGUMENT for an invalid address; KernelError from bind() (EADDRINUSE, EACCES,
   *   ENOENT).
   */
  static bind(
    address: string,
    on: DatagramHandlers,
    { mode = 0o600, maxBytes = 4096 } = {},
  ): DatagramReceiver {
    checkAddress(address);
    let bound: number;
    try {
      bound = native.bindDatagram(address, mode);
    } catch (failure) {
      throw isKernelError(failure) ? Object.assign(failure, { path: address }) : failure;
    }
    return new DatagramReceiver(new OwnedFd(bound, `datagrams at ${address}`), maxBytes, on);
  }

  /** Receives everything that was sent so far. The handler is called before this method returns. */
  drain(): void {
    this.#native.drain();
  }

  /** Stops receiving and closes the socket. Datagrams that were not received are lost, with their fds. */
  close(): void {
    this.#native.close();
  }

  /** Allows the process to exit while this receiver is open; ref() reverts it. */
  unref(): this {
    this.#native.keepAlive(false);
    return this;
  }

  /** Keeps the process running while this receiver is open, which is the default. */
  ref(): this {
    this.#native.keepAlive(true);
    return this;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
