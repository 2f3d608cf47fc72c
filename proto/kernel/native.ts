/**
 * Loads the addon `vkmem_proto` and declares its types: system calls on raw fd numbers.
 *
 * Only this folder uses `native`. A call takes ownership of a parameter that is named `taken`, also when it
 * fails; it borrows any other fd. The caller owns a returned fd. The fd is in the addon's list of fds that
 * JavaScript owns; when a worker is terminated, the fds that are still in its list are closed. A failed
 * system call throws a KernelError.
 */
import { type ErrorCode, VkmemError } from '../contract/errors.js';
import { adviceOf } from '../contract/system-fault.js';
import { type Addon, loadAddon } from './addon.js';

/**
 * The error of a failed system call. Its message is of the form `connect: ENOENT (2), no such file or
 * directory`.
 */
export interface KernelError extends Error {
  /** The system call. */
  readonly syscall: string;
  /** The name of the errno, such as 'ENOENT'. */
  readonly code: string;
  /** The errno, positive. */
  readonly errno: number;
}

/**
 * What the kernel has in memory about a file. The file system is not asked, so that a FUSE server cannot
 * block the call.
 */
export interface FileStatus {
  /** The file type: the bits S_IFMT of st_mode. */
  readonly type: bigint;
  /** Bytes. */
  readonly size: bigint;
  /** Units of 512 bytes. */
  readonly blocks: bigint;
  /** st_rdev: the device number of a device node; 0 for other files. */
  readonly node: bigint;
  /** st_dev: the device number of the file system. */
  readonly device: bigint;
  /** st_ino. All anonymous files (anon_inode:) have the same one. */
  readonly inode: bigint;
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
    deliversTruncated: boolean,
    /** `pid` and `uid` of the sender: where identifySender() asked for them, and the kernel has them. */
    onMessage: (
      data: Buffer,
      fds: number[] | undefined,
      truncated: boolean,
      pid: number | undefined,
      uid: number | undefined,
    ) => void,
    onFault: (kind: string) => void,
    /** `unread`: the socket, shut down, if the other side has not read all fds. JavaScript owns it. */
    onClose: (kind: string, errno: number, text: string, unread: number | undefined) => void,
  ): void;
  /** Returns 0: dropped; 1: sent or queued; 2: no room in the queue. */
  send(data: Uint8Array, taken: number[] | undefined): 0 | 1 | 2;
  sendWithCredentials(data: Uint8Array): boolean;
  identifySender(marker: Uint8Array | undefined): void;
  finish(kind: string, last: Uint8Array | undefined, dropQueued: boolean): void;
  close(): void;
  setPaused(paused: boolean): void;
  keepAlive(keep: boolean): void;
  queuedMessages(): number;
  unreadFds(): number;
  crowded(part: number): boolean;
}

export interface NativeFdStream {
  open(
    taken: number,
    /** With 0, any data ends the stream, and is not read. */
    maxBytes: number,
    maxFds: number,
    untrusted: boolean,
    onData: (data: Buffer, fds: number[] | undefined) => void,
    onDrain: () => void,
    onClose: (kind: string, errno: number, text: string) => void,
  ): void;
  /**
   * `fd` is borrowed; -1 for none. Returns 0: dropped; 1: sent or buffered; 2: no room, and onDrain is called
   * later.
   */
  send(data: Uint8Array, fd: number): 0 | 1 | 2;
  /**
   * The bytes that the kernel charges for data that was sent and not read, plus the bytes that are buffered
   * here.
   */
  unreadBytes(): number;
  /** Without `hangUp`, the connection stays open for other holders of the socket. */
  close(hangUp: boolean): void;
  keepAlive(keep: boolean): void;
}

export interface NativeListener {
  open(
    taken: number,
    untrusted: boolean,
    /** @param uid of the peer; of a TCP peer 2^32 - 1. */
    onConnection: (fd: number, uid: number) => void,
    onError: (error: KernelError) => void,
  ): void;
  close(): void;
  setPaused(paused: boolean): void;
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
  open(pidfd: number, uid: number, onExit: () => void): void;
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
  /** Closes a connection that a listener accepted and that nothing was read from; cheaper than closeFd(). */
  closeAccepted(taken: number): void;
  closeLater(taken: number): Promise<void>;
  /** Makes an fd that this process was started with CLOEXEC. Returns the same number. */
  inheritFd(fd: number): number;
  duplicateFd(fd: number): number;
  reopenFd(fd: number, writable: boolean): number;
  fileSize(fd: number): bigint;
  fileStatus(fd: number): FileStatus;
  lockFile(path: string): number | undefined;
  lockFolder(path: string): number | undefined;
  /**
   * The number of fds of untrusted peers that are being closed or queued for closing, of one user or of all.
   */
  pendingCloses(uid?: number): number;
  /** The number of a user's pending closes at which no more fds are accepted from the user. */
  readonly maxPendingClosesOfUser: number;
  setMaxPendingCloses(max: number): void;
  /** @param path The launcher; empty for none. */
  setCloser(path: string): void;
  /** SO_DOMAIN, SO_TYPE, SO_ACCEPTCONN, and the path that the socket is bound to, or ''. */
  listeningSocket(fd: number): { family: number; type: number; listening: number; path: string };
  listenOn(path: string, seqpacket: boolean, mode: number, backlog: number): number;
  listenTcp(host: string, port: number, backlog: number): { fd: number; host: string; port: number };
  connectTo(path: string, seqpacket: boolean): number;
  /**
   * Takes an inherited socket if it is a connected SEQPACKET socket, and otherwise leaves it unchanged.
   * Returns the same number.
   */
  adoptSocket(fd: number): number;
  socketPair(seqpacket: boolean): [number, number];
  datagramSocket(): number;
  /** @param address A path, or '@' and an abstract name, here and below. */
  bindDatagram(address: string, mode: number): number;
  /** Returns false where the receiver's queue is full. */
  sendDatagram(socket: number, address: string, data: Uint8Array, fds: readonly number[]): boolean;
  sameFile(one: number, other: number): boolean;
  endWithParent(signal: number): void;
  setDumpable(dumpable: boolean): void;
  /** For all threads; cannot be undone. */
  confine(): void;
  /** The bytes that the kernel charges for messages that were sent on the socket and not read. */
  unreadBytes(fd: number): number;
  readPeer(fd: number): {
    uid: number;
    gid: number;
    pid: number;
    /** Undefined where the kernel refuses the option. */
    groups: number[] | undefined;
    pidfd: number | undefined;
    pidfdRefused: boolean;
  };
  hasExited(pidfd: number): boolean;
  openPidfd(pid: number): number;
  /**
   * @param fd Borrowed; number 3 in the child. Returns the pid. Each string of argv as bytes.
   */
  spawnChild(file: string, argv: readonly Uint8Array[], environment: readonly string[], fd: number): number;
  /** Undefined while the child runs; then its exit status, or the negative number of its signal. */
  reapChild(pid: number): number | undefined;
  /**
   * Replaces this program; returns only by throwing.
   * @param argv Each string as bytes, without a zero byte.
   * @param environment The whole environment: 'NAME=VALUE', or 'NAME' for this process's value. Undefined for
   *   this process's environment.
   * @param fds Borrowed. The first is the session's socket.
   */
  becomeProgram(
    file: string,
    argv: readonly Uint8Array[],
    environment: readonly string[] | undefined,
    fds: readonly number[],
    standardFlags: number,
    /** One of the fds, which is made blocking; -1 for none. */
    session: number,
  ): void;
  /** Bit N is set where the standard stream N is non-blocking. */
  standardFlags(): number;
  createEventFd(): number;
  signalEventFd(fd: number, count: bigint): void;
  /** @param hugePage The size of one huge page, in bytes; 0n for normal pages. */
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
  /** Adds to the eventfd when done: 1 on success, otherwise 1 + errno. */
  sealLater(fd: number, seals: number, eventFd: number): void;
  mapFd(fd: number, offset: bigint, length: number, writable: boolean): ArrayBuffer;
  /** The size of the file's huge pages, in bytes; 0n where it has none. */
  hugePageOf(fd: number): bigint;
  detach(buffer: ArrayBuffer): boolean;
  unmapping(): number;
  /** DMA_BUF_IOCTL_SYNC: begins or ends CPU access, for reading, and with `writing` also for writing. */
  syncDmaBuf(fd: number, end: boolean, writing: boolean): void;
}

/** The addon of this package. */
export const ADDON: Addon = {
  name: 'vkmem_proto',
  sources: new URL('../../native/', import.meta.url),
  prebuilds: new URL('../../prebuilds/', import.meta.url),
  requires: 'python3 and a C++20 compiler',
};

export const native: Native = loadAddon(ADDON) as Native;

/** Whether an error is a KernelError. */
export function isKernelError(error: unknown): error is KernelError {
  return error instanceof Error && 'syscall' in error && 'errno' in error && 'code' in error;
}

/**
 * Runs a system call. A KernelError whose errno has an entry in `codes` becomes a VkmemError with that code;
 * the entry `'*'` applies to all other errnos. A KernelError without an entry is not an expected failure, and
 * is thrown as it is.
 */
const NEXT = 'Check the file descriptor or the path that the reason names.';

export function translating<T>(codes: Readonly<Record<string, ErrorCode>>, call: () => T, path?: string): T {
  try {
    return call();
  } catch (error) {
    throw translate(codes, error, path);
  }
}

export function translate(
  codes: Readonly<Record<string, ErrorCode>>,
  error: unknown,
  path?: string,
): unknown {
  if (!isKernelError(error)) return error;
  const code = codes[error.code] ?? codes['*'];
  if (code === undefined) return error;
  const reason = path === undefined ? `${error.message}.` : `${path}: ${error.message}.`;
  // The catalogue's advice is about fields and rights, not about system calls.
  const next = code === 'INVALID_ARGUMENT' || code === 'NOT_PERMITTED' ? NEXT : undefined;
  const advice = adviceOf(error.code) ?? next;
  return new VkmemError(code, reason, { syscall: error.syscall, errno: error.code }, error, advice);
}
