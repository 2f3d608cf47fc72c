/**
 * IvshmemPeer: this process as a peer of an ivshmem server, together with virtual machines and other
 * processes.
 *
 * Virtual machines do not distinguish it from other peers. A guest rings it by writing its id and a vector to
 * the doorbell register of the guest's device. When this process rings a guest, the guest's device raises the
 * interrupt of that vector. Rings are sent directly between processes, by eventfds; the daemon only reports
 * the peers. Rings still work after a restart of the daemon.
 *
 * The peer keeps the process alive until close(), as a server does.
 */
import { EventEmitter } from 'node:events';
import {
  closeAll,
  EventFd,
  FdStream,
  IVSHMEM_MEMORY,
  IVSHMEM_VERSION,
  type OwnedFd,
  VkmemError,
  type Word,
  WordReader,
} from '@vkmemd/proto';

/** The events of an IvshmemPeer. */
export interface IvshmemPeerEvents {
  /**
   * This peer was rung `count` times since the last event of the vector. Rings without a listener are
   * counted.
   */
  interrupt: [vector: number, count: bigint];
  /** Another peer has joined, and can be rung. */
  join: [id: number];
  /** A peer has left. */
  leave: [id: number];
  /**
   * The daemon has ended the connection: later joins and leaves are not reported. The known peers can still
   * be rung.
   */
  disconnected: [reason: VkmemError];
}

/**
 * This process as a peer of an ivshmem server, from client.ivshmem.join(). It owns the connection and the
 * eventfds of all peers until close(), and is closed with its client. It keeps the process alive.
 */
export class IvshmemPeer extends EventEmitter<IvshmemPeerEvents> implements Disposable {
  /** The id that other peers use to ring this one. */
  readonly id: number;
  /** The number of interrupt vectors of every peer. */
  readonly vectors: number;
  readonly #stream: FdStream;
  readonly #reader = new WordReader();
  readonly #doorbells = new Map<number, EventFd[]>();
  readonly #onClose: (peer: IvshmemPeer) => void;
  /** The number of words of the protocol that were received. */
  #words = 0;
  #ready: (() => void) | undefined;
  #failed: ((reason: VkmemError) => void) | undefined;
  #open = true;

  private constructor(socket: OwnedFd, id: number, vectors: number, onClose: (peer: IvshmemPeer) => void) {
    super();
    this.id = id;
    this.vectors = vectors;
    this.#onClose = onClose;
    const all = this as EventEmitter<Record<string, unknown[]>>;
    all.on('newListener', (event) => {
      if (event === 'interrupt' && this.listenerCount('interrupt') === 0) this.#listen();
    });
    all.on('removeListener', (event) => {
      if (event !== 'interrupt' || this.listenerCount('interrupt') > 0) return;
      for (const doorbell of this.#doorbells.get(this.id) ?? []) doorbell.unlisten();
    });
    const handlers = {
      data: (bytes: Buffer, fds: OwnedFd[]) => this.#receive(bytes, fds),
      close: () => this.#fail(new VkmemError('UNAVAILABLE', 'The daemon ended the connection.')),
    };
    this.#stream = new FdStream(socket, handlers, { maxFds: 1 });
  }

  /**
   * Joins. Called by Client. Resolves when all connected peers are known.
   * @param socket Taken.
   * @throws VkmemError UNAVAILABLE, PROTOCOL_ERROR.
   * @internal
   */
  static async join(
    socket: OwnedFd,
    id: number,
    vectors: number,
    onClose: (peer: IvshmemPeer) => void,
  ): Promise<IvshmemPeer> {
    const peer = new IvshmemPeer(socket, id, vectors, onClose);
    await new Promise<void>((resolve, reject) => {
      peer.#ready = resolve;
      peer.#failed = (reason) => {
        peer.close();
        reject(reason);
      };
    });
    return peer;
  }

  /** The ids of the other peers, ascending. */
  get peers(): number[] {
    return [...this.#doorbells]
      .filter(([id, doorbells]) => id !== this.id && doorbells.length === this.vectors)
      .map(([id]) => id)
      .sort((a, b) => a - b);
  }

  /**
   * Interrupts a peer. Writes to the memory before the call are visible to the peer when it is interrupted.
   * @param vector The interrupt vector, 0 to `vectors` - 1. Default 0.
   * @throws VkmemError NOT_FOUND if there is no such peer, or after close(); INVALID_ARGUMENT for an invalid
   *   vector.
   */
  ring(id: number, vector = 0): void {
    const doorbells = this.#doorbells.get(id);
    if (!doorbells) throw new VkmemError('NOT_FOUND', `There is no connected peer ${id}.`);
    const doorbell = doorbells[vector];
    if (!doorbell) {
      const reason = `vector: ${vector} is not within 0 to ${this.vectors - 1}.`;
      throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'vector' });
    }
    doorbell.ring();
  }

  /** Leaves and closes the eventfds; the other peers emit `leave`. Does nothing if it is closed. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#stream.close();
    for (const doorbells of this.#doorbells.values()) for (const doorbell of doorbells) doorbell.close();
    this.#doorbells.clear();
    this.#onClose(this);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #receive(bytes: Buffer, fds: OwnedFd[]): void {
    let words: Word[] = [];
    try {
      words = this.#reader.read(bytes, fds);
      for (const word of words) this.#hear(word);
    } catch (failure) {
      closeAll(fds);
      this.#stream.close();
      if (!(failure instanceof VkmemError)) throw failure;
      this.#fail(failure);
    }
  }

  /** The first three words are those of the handshake. Any other word is a peer that joins or leaves. */
  #hear({ value, fd }: Word): void {
    this.#words += 1;
    if (this.#words === 1) expect('the version', value === IVSHMEM_VERSION && !fd);
    else if (this.#words === 2) expect('the id', value === BigInt(this.id) && !fd);
    else if (this.#words === 3) {
      expect('the memory', value === IVSHMEM_MEMORY && fd !== undefined);
      // The program claims the memory separately.
      fd?.close();
    } else if (fd) this.#meet(Number(value), new EventFd(fd));
    else this.#part(Number(value));
  }

  #meet(id: number, doorbell: EventFd): void {
    const doorbells = this.#doorbells.get(id) ?? [];
    if (doorbells.length >= this.vectors) {
      doorbell.close();
      throw new VkmemError('PROTOCOL_ERROR', `Peer ${id} has more than ${this.vectors} vectors.`);
    }
    this.#doorbells.set(id, [...doorbells, doorbell]);
    if (doorbells.length + 1 < this.vectors) return;
    if (id !== this.id) this.emit('join', id);
    else {
      this.#ready?.();
      this.#failed = undefined;
    }
  }

  /** The eventfds count rings that occur without a listener. */
  #listen(): void {
    for (const [vector, doorbell] of (this.#doorbells.get(this.id) ?? []).entries()) {
      doorbell.listen((count) => this.emit('interrupt', vector, count));
    }
  }

  #part(id: number): void {
    const doorbells = this.#doorbells.get(id);
    if (!doorbells || id === this.id) return;
    this.#doorbells.delete(id);
    for (const doorbell of doorbells) doorbell.close();
    this.emit('leave', id);
  }

  #fail(reason: VkmemError): void {
    if (this.#failed) this.#failed(reason);
    else if (this.#open) this.emit('disconnected', reason);
  }
}

function expect(what: string, condition: boolean): void {
  if (!condition)
    throw new VkmemError(
      'PROTOCOL_ERROR',
      `The ivshmem handshake has an unexpected word in place of ${what}.`,
    );
}
