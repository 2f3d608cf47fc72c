/**
 * The addon `vkmem_proto`, loaded and typed: raw system calls on raw fd numbers.
 *
 * Everything here is for the modules beside this one; only lockFile() is for everybody. A parameter called `taken`
 * changes owner with the call, whether it fails or not; any other fd is borrowed. A returned fd is the caller's,
 * and stands in the addon's book of fds that JavaScript owns: what is still in it when a worker is terminated is
 * closed then. A failed system call throws a KernelError.
 */
import { createRequire } from 'node:module';
import { type ErrorCode, VkmemError } from '../contract/errors.js';
import type { NativeMemoryCalls } from '../native-memory.js';
import type {
  NativeConnection,
  NativeDatagramReceiver,
  NativeEventWatch,
  NativeExitWatch,
  NativeFdStream,
  NativeListener,
} from '../native-sockets.js';
import { OwnedFd } from './fd.js';

export type * from '../native-sockets.js';

/** What a failed system call throws: `connect: ENOENT (2), no such file or directory`. */
export interface KernelError extends Error {
  readonly syscall: string;
  /** The errno's name. */
  readonly code: string;
  /** The kernel's number, positive. */
  readonly errno: number;
}

/** What the kernel knows of a file already: no file system is asked. */
export interface FileStatus {
  /** The file type's bits of st_mode. */
  readonly type: bigint;
  /** Bytes. */
  readonly size: bigint;
  /** Of 512 bytes. */
  readonly blocks: bigint;
  /** st_rdev: which device node it is; 0 for what is none. */
  readonly node: bigint;
  /** st_dev: which file system it is on. */
  readonly device: bigint;
}

export interface Native extends NativeMemoryCalls {
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
  /** Fds of untrusted peers that are being closed, or wait for it; of one user, or of all. */
  pendingCloses(uid?: number): number;
  /** How many of one user, from which on it is taken no more from. */
  readonly maxPendingClosesOfUser: number;
  setMostPendingCloses(max: number): void;
  /** SO_DOMAIN, SO_TYPE, SO_ACCEPTCONN, and the path that it is bound to or ''. */
  listeningSocket(fd: number): { family: number; type: number; listening: number; path: string };
  listenOn(path: string, seqpacket: boolean, mode: number, backlog: number): number;
  connectTo(path: string, seqpacket: boolean): number;
  /** The same number: of a socket that this process was left with. Taken if it is what it should be, left alone if not. */
  adoptSocket(fd: number): number;
  socketPair(seqpacket: boolean): [number, number];
  datagramSocket(): number;
  /** @param address A path, or '@' and an abstract name, here and below. */
  bindDatagram(address: string, mode: number): number;
  /** False: not now. */
  sendDatagram(socket: number, address: string, data: Uint8Array, fds: readonly number[]): boolean;
  sameFile(one: number, other: number): boolean;
  endWithParent(signal: number): void;
  /** Bytes of messages that were sent on the socket and that nobody has read; what the kernel charges for them. */
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
  /** Throws, or does not return. @param argv bytes. @param environment 'NAME=VALUE', or 'NAME' of the own; all of it. @param fds borrowed, a socket first. */
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
 * Runs a system call and turns the errnos that `codes` lists into the catalogue's fault; `'*'` stands for all
 * others. An errno without an entry is thrown as it came: it is not an expected failure.
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

/**
 * Takes the exclusive lock of the file at `path`, which is made (mode 0600) if it is missing and never removed.
 * A symbolic link there is refused.
 * @returns The caller owns the fd; closing it, or the end of the process, gives the lock up. Undefined when it is held.
 * @throws KernelError from open() or flock().
 */
export function lockFile(path: string): OwnedFd | undefined {
  const fd = native.lockFile(path);
  return fd === undefined ? undefined : new OwnedFd(fd, `lock ${path}`);
}
