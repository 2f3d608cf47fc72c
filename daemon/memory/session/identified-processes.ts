/**
 * Processes that identified themselves on the handoff socket, where the kernel gives no pidfd of a peer
 * (handoff/challenge.ts). While such a process has not exited, no other process has its pid: a connection of that pid
 * and uid on another socket is one of this process.
 *
 * Limits: a connection that an earlier process with that pid made, and that was not accepted before this process
 * began, is taken for one of this process. Both are of one user.
 */
import type { OwnedFd, PeerIdentity } from '@vkmemd/proto';
import { SetIndex } from '../set-index.js';
import { anotherPidfd, type ClientProcess } from './client-process.js';

const keyOf = (uid: number, pid: number): string => `${uid}:${pid}`;

export class IdentifiedProcesses {
  readonly #processes = new SetIndex<string, ClientProcess>();

  /** Knows the process until the result is disposed. */
  add(uid: number, process: ClientProcess): Disposable {
    const key = keyOf(uid, process.pid);
    this.#processes.add(key, process);
    return { [Symbol.dispose]: () => this.#processes.remove(key, process) };
  }

  /** The peer, with a pidfd of its process if it is known. The holder of the result owns the pidfd. */
  complete(peer: PeerIdentity): PeerIdentity {
    if (!peer.pidfdRefused || peer.pid <= 0) return peer;
    for (const process of this.#processes.of(keyOf(peer.uid, peer.pid))) {
      const pidfd = pidfdOf(process);
      if (pidfd) return { ...peer, pidfd, pidfdRefused: false };
    }
    return peer;
  }
}

/** A pidfd of its own, which the caller owns; undefined if the process has exited, or none can be opened. */
function pidfdOf(process: ClientProcess): OwnedFd | undefined {
  try {
    using known = process.pidfd();
    return known && anotherPidfd(known, process.pid);
  } catch {
    return undefined;
  }
}
