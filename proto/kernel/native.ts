/**
 * The addon `vkmem_proto`, loaded and typed: raw system calls on raw fd numbers.
 *
 * Only this folder uses `native`. A parameter named `taken` changes owner with the call, also when the call
 * fails; any other fd is borrowed. The caller owns a returned fd, which is in the addon's list of fds that
 * JavaScript owns: those that are still in the list when a worker is terminated are closed then. A failed
 * system call throws a KernelError.
 */
import { createRequire } from 'node:module';
import { type ErrorCode, VkmemError } from '../contract/errors.js';

/** What a failed system call throws: `connect: ENOENT (2), no such file or directory`. */
export interface KernelError extends Error {
  readonly syscall: string;
  /** The errno's name. */
  readonly code: string;
  /** The kernel's number, positive. */
  readonly errno: number;
}

/**
 * What the kernel has in memory about a file; the file system is not asked, so that a FUSE server cannot
 * block the call.
 */
export interface FileStatus {
  /** The file type bits of st_mode. */
  readonly type: bigint;
  /** Bytes. */
  readonly size: bigint;
  /** Units of 512 bytes. */
  readonly blocks: bigint;
  /** st_rdev: the number of a device node; 0 for other files. */
  readonly node: bigint;
  /** st_dev: the file system. */
  readonly device: bigint;
}

export interface NativeConnection {
  open(
    taken: number,
    maxMessageBytes: number,
    maxFds: number,
    maxQueuedMessages: number,
    maxQueuedBytes: number,
    maxQueuedFds: number,
    untrusted: boolean,
    keepsUnread: boolean,
    onMessage: (data: Buffer, fds: number[] | undefined) => void,
    onFault: (kind: string) => void,
    /** `unread`: the socket, shut down, where the other side has not read all fds. JavaScript owns it. */
    onClose: (kind: string, errno: number, text: string, unread: number | undefined) => void,
  ): void;
  /** 0: dropped, 1: sent or queued, 2: no room in the queue. */
  send(data: Uint8Array, taken: number[] | undefined): 0 | 1 | 2;
  finish(kind: string, last: Uint8Array | undefined, dropQueued: boolean): void;
  close(): void;
  setPaused(paused: boolean): void;
  keepAlive(keep: boolean): void;
  queuedMessages(): number;
  unreadFds(): number;
  crowded(): boolean;
}

export interface NativeFdStream {
  open(
    taken: number,
    /** 0: any data ends the stream, unread. */
    maxBytes: number,
    maxFds: number,
    untrusted: boolean,
    onData: (data: Buffer, fds: number[] | undefined) => void,
    onDrain: () => void,
    onClose: (kind: string, errno: number, text: string) => void,
  ): void;
  /**
   * The fd is borrowed; -1 for none. 0: dropped, 1: sent or buffered, 2: no room, onDrain is called later.
   */
  send(data: Uint8Array, fd: number): 0 | 1 | 2;
  /** What the kernel charges for data that was sent and not read. */
  unreadBytes(): number;
  /** Without hangUp the connection stays open for other holders of the socket. */
  close(hangUp: boolean): void;
  keepAlive(keep: boolean): void;
}

export interface NativeListener {
  open(
    taken: number,
    untrusted: boolean,
    onConnection: (fd: number) => void,
    onError: (error: KernelError) => void,
  ): void;
  close(): void;
  keepAlive(keep: boolean): void;
}

export interface NativeDatagramReceiver {
  open(
    taken: number,
    maxBytes: number,
    /**
     * `truncated`: bit 0 for missing bytes, bit 1 for missing fds. `pid` is 0 where the kernel did not report
     * it.
     */
    onMessage: (
      data: Buffer,
      fds: number[] | undefined,
      pid: number,
      uid: number,
      gid: number,
      truncated: number,
    ) => void,
    onError: (error: KernelError) => void,
  ): void;
  drain(): void;
  close(): void;
  keepAlive(keep: boolean): void;
}

export interface NativeEventWatch {
  open(fd: number, onCount: (count: bigint) => void): void;
  close(): void;
  keepAlive(keep: boolean): void;
}

export interface NativeExitWatch {
  open(pidfd: number, onExit: () => void): void;
  close(): void;
}

export interface Native {
  readonly Connection: new () => NativeConnection;
  readonly Listener: new () => NativeListener;
  readonly DatagramReceiver: new () => NativeDatagramReceiver;
  readonly FdStream: new () => NativeFdStream;
  readonly EventWatch: new () => NativeEventWatch;
  readonly ExitWatch: new () => NativeExitWatch;
  readonly maxFdsPerMessage: number;
  ownFd(fd: number): void;
  disownFd(fd: number): void;
  closeFd(taken: number): void;
  /** The same number, CLOEXEC: of an fd that this process was started with. */
  inheritFd(fd: number): number;
  duplicateFd(fd: number): number;
  reopenFd(fd: number, writable: boolean): number;
  fileSize(fd: number): bigint;
  fileStatus(fd: number): FileStatus;
  lockFile(path: string): number | undefined;
  /** How many fds of untrusted peers are being closed or queued for closing: of one user, or of all. */
  pendingCloses(uid?: number): number;
  /** From this number of one user's pending closes on, no fds are accepted from it. */
  readonly maxPendingClosesOfUser: number;
  setMaxPendingCloses(max: number): void;
  /** SO_DOMAIN, SO_TYPE, SO_ACCEPTCONN, and the path that it is bound to or ''. */
  listeningSocket(fd: number): { family: number; type: number; listening: number; path: string };
  listenOn(path: string, seqpacket: boolean, mode: number, backlog: number): number;
  connectTo(path: string, seqpacket: boolean): number;
  /**
   * The same number, of an inherited socket. Taken if it is a connected SEQPACKET socket, left alone
   * otherwise.
   */
  adoptSocket(fd: number): number;
  socketPair(seqpacket: boolean): [number, number];
  datagramSocket(): number;
  /** @param address A path, or '@' and an abstract name, here and below. */
  bindDatagram(address: string, mode: number): number;
  /** False where the receiver's queue is full. */
  sendDatagram(socket: number, address: string, data: Uint8Array, fds: readonly number[]): boolean;
  sameFile(one: number, other: number): boolean;
  endWithParent(signal: number): void;
  /** What the kernel charges for messages that were sent on the socket and not read, in bytes. */
  unreadBytes(fd: number): number;
  readPeer(fd: number): {
    uid: number;
    gid: number;
    pid: number;
    groups: number[];
    pidfd: number | undefined;
  };
  hasExited(pidfd: number): boolean;
  openPidfd(pid: number): number;
  /**
   * Throws, or does not return.
   * @param argv Bytes.
   * @param environment All of it: 'NAME=VALUE', or 'NAME' for this process's
   * value.
   * @param fds Borrowed; a socket first.
   */
  becomeProgram(
    file: string,
    argv: readonly Uint8Array[],
    environment: readonly string[] | undefined,
    fds: readonly number[],
    standardFlags: number,
  ): void;
  /** Bit N is set where the standard stream N does not block. */
  standardFlags(): number;
  createEventFd(): number;
  signalEventFd(fd: number, count: bigint): void;
  /** @param hugePage Bytes of one huge page; 0n for pages of the system's own size. */
  createMemfd(
    name: string,
    size: bigint,
    seals: number,
    mode: number,
    hugePage: bigint,
    populate: boolean,
  ): Promise<number>;
  heldElsewhere(fd: number): boolean | undefined;
  readSeals(fd: number): number;
  addSeals(fd: number, seals: number): void;
  /** Adds to the eventfd when done: 1, or 1 + errno. */
  sealLater(fd: number, seals: number, eventFd: number): void;
  mapFd(fd: number, offset: bigint, length: number, writable: boolean): ArrayBuffer;
  /** Bytes of each of the file's huge pages; 0n where it has none. */
  hugePageOf(fd: number): bigint;
  detach(buffer: ArrayBuffer): boolean;
  /** DMA_BUF_IOCTL_SYNC: begins or ends CPU access for reading, and for writing too if `writing`. */
  syncDmaBuf(fd: number, end: boolean, writing: boolean): void;
}

const ADDON = '../../native/build/Release/vkmem_proto.node';

function load(): Native {
  const require = createRequire(import.meta.url);
  try {
    return require(ADDON) as Native;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    throw new Error('The native addon vkmem_proto is not built: run `npm run setup`.', { cause: error });
  }
}

export const native: Native = load();

export function isKernelError(error: unknown): error is KernelError {
  return error instanceof Error && 'syscall' in error && 'errno' in error && 'code' in error;
}

/**
 * Runs a system call and throws a VkmemError with the code that `codes` gives for the errno; `'*'` stands for
 * all others. An errno without an entry is thrown as a KernelError: it is not an expected failure.
 */
export function translating<T>(codes: Readonly<Record<string, ErrorCode>>, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw translate(codes, error);
  }
}

export function translate(codes: Readonly<Record<string, ErrorCode>>, error: unknown): unknown {
  if (!isKernelError(error)) return error;
  const code = codes[error.code] ?? codes['*'];
  if (code === undefined) return error;
  return new VkmemError(code, `${error.message}.`, { syscall: error.syscall, errno: error.code }, error);
}
