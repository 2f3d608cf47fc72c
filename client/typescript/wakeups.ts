/**
 * Wakeups: how a client and others wake each other, without polling. A part of Client.
 *
 * A signal is for two sessions; an ivshmem peer for any number of workers and virtual machines at one allocation. Both are
 * eventfds that go from process to process: they work on while the daemon is away, and end with the client here.
 */
import { EventEmitter } from 'node:events';
import { type OwnedFd, VkmemError } from '@vkmemd/proto';
import { present } from './connection/answer.js';
import type { Requester } from './connection/request.js';
import type { ClientEvents } from './connection/session.js';
import { checkRef, type Ref } from './request/arguments.js';
import { type MadeSignal, Signal } from './signal.js';
import { IvshmemPeer } from './vm/ivshmem-peer.js';

export class Wakeups extends EventEmitter<ClientEvents> {
  readonly #handoff: Requester;
  readonly #open = new Set<Signal | IvshmemPeer>();
  #ended = false;

  constructor(handoff: Requester) {
    super();
    this.#handoff = handoff;
  }

  /**
   * Makes a signal: this side of it, and a secret with which another session opens the other side, once.
   * @throws VkmemError QUOTA_EXCEEDED where the session has 64 that nobody has opened; TOO_MANY_FILES, UNAVAILABLE.
   */
  async createSignal(): Promise<MadeSignal> {
    const { message, fds } = await this.#handoff.request('createSignal', {});
    return { signal: this.#signal(fds), secret: message.secret };
  }

  /** @throws VkmemError TICKET_INVALID where nobody waits for the secret; UNAVAILABLE. */
  async openSignal(secret: string): Promise<Signal> {
    const { fds } = await this.#handoff.request('openSignal', { secret });
    return this.#signal(fds);
  }

  /**
   * Joins the peers of an allocation that is offered to virtual machines (ControlClient.serveIvshmem). The memory itself is claimed
   * as any other.
   * @throws VkmemError NOT_FOUND where it is not offered; NOT_PERMITTED where the user neither owns it nor holds a grant to write
   *   to it; PUBLISHED, TOO_MANY_PEERS, TOO_MANY_SESSIONS, TOO_MANY_FILES, QUOTA_EXCEEDED, UNAVAILABLE.
   */
  async joinIvshmem(ref: Ref): Promise<IvshmemPeer> {
    const { message, fds } = await this.#handoff.request('joinIvshmem', { allocation: checkRef(ref) });
    const { vectors } = present(message.server);
    const peer = await IvshmemPeer.join(fds[0] as OwnedFd, message.peerId, vectors, (gone) =>
      this.#open.delete(gone),
    );
    this.#open.add(peer);
    if (this.#ended) {
      peer.close();
      throw new VkmemError('UNAVAILABLE', 'The client was closed.');
    }
    return peer;
  }

  /** Closes what is open, and what still comes. */
  protected endWakeups(): void {
    this.#ended = true;
    for (const wakeup of [...this.#open]) wakeup.close();
  }

  /** @param fds two, as was checked. */
  #signal([own, other]: readonly OwnedFd[]): Signal {
    const signal = new Signal(own as OwnedFd, other as OwnedFd, (gone) => this.#open.delete(gone));
    this.#open.add(signal);
    if (!this.#ended) return signal;
    signal.close();
    throw new VkmemError('UNAVAILABLE', 'The client was closed.');
  }
}
