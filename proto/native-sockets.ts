/**
 * What the addon has on the event loop: conversations, listeners, datagrams, and what waits for an eventfd or the end of a
 * process. Each is opened once; a parameter called `taken` changes owner with the call, any other fd is borrowed.
 */
import type { KernelError } from './kernel/native.js';

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
    /** 0: whatever comes ends it, unread. */
    maxBytes: number,
    maxFds: number,
    untrusted: boolean,
    onData: (data: Buffer, fds: number[] | undefined) => void,
    onDrain: () => void,
    onClose: (kind: string, errno: number, text: string) => void,
  ): void;
  /** The fd is borrowed; -1 for none. 0: dropped, 1: sent or kept, 2: no room, and onDrain comes. */
  send(data: Uint8Array, fd: number): 0 | 1 | 2;
  /** What the kernel charges for what was sent and not read. */
  unreadBytes(): number;
  /** Without hanging up, the conversation goes on for whoever else has the socket. */
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
    /** `truncated`: bit 0 for bytes that are missing, bit 1 for fds. `pid` is 0 where the kernel did not say. */
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
