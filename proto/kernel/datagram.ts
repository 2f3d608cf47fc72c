/**
 * Datagrams with fds between processes that are not connected, as a service manager is spoken to.
 *
 * An address is a path, or '@' and a name in the network namespace's abstract space, which has no mode: anybody there
 * can send to it. Fds are borrowed on the way out and owned by the handler on the way in. Nobody is believed about who
 * it is: the kernel attaches the sender's credentials.
 *
 * Limits: a datagram has at most 253 fds and must fit the sender's buffer (about 200 KiB). The receiver's queue is short
 * (net.unix.max_dgram_qlen, 10 by default), and nothing tells a sender when there is room again: it has to try.
 */
import { VkmemError } from '../contract/errors.js';
import { closeAll, kSurrender, OwnedFd } from './fd.js';
import { type NativeDatagramReceiver, native, translating } from './native.js';
import { MAX_SOCKET_PATH_BYTES } from './socket.js';

/** Of one datagram, as everywhere (SCM_MAX_FD). */
export const MAX_DATAGRAM_FDS = native.maxFdsPerMessage;

/** Whom the kernel says a datagram is from. */
export interface Sender {
  /** 0 where it is of no process that can be seen from here. */
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

export interface ReceivedDatagram {
  readonly data: Buffer;
  /** The handler owns them; CLOEXEC. */
  readonly fds: readonly OwnedFd[];
  readonly sender: Sender;
  /** What is missing: the end of the bytes, or fds that found no room in this process. */
  readonly truncated: { readonly data: boolean; readonly fds: boolean };
}

export interface DatagramHandlers {
  message(datagram: ReceivedDatagram): void;
  /** Receiving failed; it is tried again a moment later. */
  error(error: Error): void;
}

function checkAddress(address: string): void {
  const bytes = Buffer.byteLength(address);
  const name = address.startsWith('@') ? bytes - 1 : bytes;
  if (name === 0 || bytes > MAX_SOCKET_PATH_BYTES || address.includes('\0')) {
    throw new VkmemError(
      'INVALID_ARGUMENT',
      `address: it has 1 to ${MAX_SOCKET_PATH_BYTES} bytes and no zero byte; this one has ${bytes} bytes.`,
    );
  }
}

/** Sends to one address. */
export class DatagramSender {
  readonly address: string;
  readonly #socket: OwnedFd;

  /** @throws VkmemError INVALID_ARGUMENT for what is no address; KernelError EMFILE. */
  constructor(address: string) {
    checkAddress(address);
    this.address = address;
    this.#socket = new OwnedFd(native.datagramSocket(), `datagrams to ${address}`);
  }

  /**
   * Sends one datagram, whole or not at all.
   * @param fds Borrowed, at most 253.
   * @returns false where it cannot be taken now: the receiver has not read what was sent before.
   * @throws VkmemError UNAVAILABLE where nobody receives there, NOT_PERMITTED where it may not be sent to.
   * @throws KernelError for all else, such as EMSGSIZE.
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
   * Makes the socket, whose file (of this mode, whatever the umask) stays when it is closed.
   * @param maxBytes of one datagram; default 4096, as much as systemd reads.
   * @throws VkmemError INVALID_ARGUMENT for what is no address; KernelError from bind() (EADDRINUSE, EACCES, ENOENT).
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

  /** Receives all that has been sent so far; the handler is called before this returns. */
  drain(): void {
    this.#native.drain();
  }

  /** Receives no more. What was sent and not received is gone, its fds with it. */
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
