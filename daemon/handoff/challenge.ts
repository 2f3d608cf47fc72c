/**
 * The challenge: identifies the process of a connection where the kernel gives no pidfd of a peer (SO_PEERPIDFD:
 * before Linux 6.5, or refused by a seccomp filter).
 *
 * At accept a pidfd is opened by the peer's pid. It may be that of another process: the peer may have ended, and its
 * pid may be in use again. So the Welcome has random bytes, and the client returns them in a message with
 * SCM_CREDENTIALS, where the kernel lets a process name only itself. While the process of the pidfd has not exited,
 * no other process has the pid: so this process sent the message, and has the connection. From then on the pidfd
 * counts as one from the kernel.
 *
 * Limits: a process that has the socket, the uid and, by reuse, the pid of the peer is taken for the peer. A process
 * with CAP_SYS_ADMIN in its pid namespace may name any process of that namespace, which then must have the peer's pid
 * and uid. Both stay within one user.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import {
  hasExited,
  type MessageSender,
  type OwnedFd,
  openPidfd,
  type PeerIdentity,
  VkmemError,
} from '@vkmemd/proto';
import type { Identity } from '../policy/identity.js';
import type { Policy } from '../policy/policy.js';
import { identityOf } from '../policy/unit.js';

const BYTES = 16;

export class Challenge implements Disposable {
  /** The peer's identity once it is known to be the process of the pidfd: with its unit. */
  readonly identity: Identity;
  /** Of the process that had the peer's pid at accept. Its owner is the challenge, until it is answered. */
  readonly pidfd: OwnedFd;
  #bytes: Buffer | undefined;

  /** @param pidfd opened by the pid of the identity; ownership is taken. */
  constructor(pidfd: OwnedFd, identity: Identity) {
    this.pidfd = pidfd;
    this.identity = identity;
  }

  /**
   * A challenge for a peer without a pidfd.
   * @returns undefined if the peer has a pidfd, has ended, is outside the pid namespace, or if no pidfd can be opened
   *   (pidfd_open is refused): it is served without one.
   */
  static of(peer: PeerIdentity, policy: Policy): Challenge | undefined {
    if (!peer.pidfdRefused || peer.pid <= 0) return undefined;
    let pidfd: OwnedFd;
    try {
      pidfd = openPidfd(peer.pid);
    } catch {
      return undefined;
    }
    return new Challenge(pidfd, identityOf({ ...peer, pidfd }, policy));
  }

  /** New bytes for a Welcome. Those of an earlier one are no longer valid. */
  next(): Buffer {
    this.#bytes = randomBytes(BYTES);
    return this.#bytes;
  }

  /**
   * Checks an answer: if this returns, the connection is of the process of the pidfd.
   * @param sender who the kernel says sent it; undefined if it has no SCM_CREDENTIALS.
   * @throws VkmemError PROTOCOL_ERROR for other bytes than those of the last Welcome; NOT_PERMITTED if the sender is
   *   not the process of the pidfd, which may still answer.
   */
  answer(proof: Uint8Array, sender: MessageSender | undefined): void {
    const bytes = this.#bytes;
    if (!bytes || proof.byteLength !== bytes.byteLength || !timingSafeEqual(proof, bytes)) {
      throw new VkmemError('PROTOCOL_ERROR', 'The proof is not the challenge of the last Welcome.');
    }
    if (!sender) throw unproved('The message with the proof has no SCM_CREDENTIALS');
    const { pid, uid } = this.identity;
    if (sender.pid !== pid || sender.uid !== uid) {
      const who = `process ${sender.pid} of user ${sender.uid}`;
      throw unproved(`The proof is of ${who}, the connection of process ${pid} of user ${uid}`);
    }
    if (hasExited(this.pidfd)) throw unproved(`Process ${pid}, which the daemon saw at accept, has exited`);
  }

  /** Closes the pidfd. */
  [Symbol.dispose](): void {
    this.pidfd.close();
  }
}

const unproved = (why: string): VkmemError =>
  new VkmemError(
    'NOT_PERMITTED',
    `${why}: the session continues without a known process.`,
    {},
    undefined,
    'Answer from the process that connected, with SCM_CREDENTIALS (docs/protocol.md), or ignore the challenge.',
  );
