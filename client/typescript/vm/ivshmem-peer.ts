/**
 * IvshmemPeer: this process among the peers of an ivshmem server, beside virtual machines and other workers.
 *
 * To a machine it is a peer like any other: guests ring it by writing its id and a vector to the doorbell
 * register of their device, and it rings them, whose device then raises that interrupt. Rings go from process
 * to process, by eventfds; the daemon only reports the peers. Its restart is not noticed.
 *
 * It keeps the process alive until close(), as a server does.
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

export interface IvshmemPeerEvents {
  /**
   * This peer was rung, so many times since the last event of the vector. Rings without a listener are
   * counted.
   */
  interrupt: [vector: number, count: bigint];
  /** Another peer can be rung now. */
  join: [id: number];
  leave: [id: number];
  /** The daemon ended the connection: later peers do not become known. The present ones can still be rung. */
  disconnected: [reason: VkmemError];
}

export class IvshmemPeer extends EventEmitter<IvshmemPeerEvents> implements Disposable {
  /** What others ring it by. */
  readonly id: number;
  /** Of every peer. */
  readonly vectors: number;
  readonly #stream: FdStream;
  readonly #reader = new WordReader();
  readonly #doorbells = new Map<number, EventFd[]>();
  readonly #onClose: (peer: IvshmemPeer) => void;
  /** Words of the protocol that have come. */
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
   * Made by Client; resolves when all present peers are known.
   * @param socket taken. @throws VkmemError UNAVAILABLE, PROTOCOL_ERROR.
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

  /** The ids of the other peers, in ascending order. */
  get peers(): number[] {
    return [...this.#doorbells]
      .filter(([id, doorbells]) => id !== this.id && doorbells.length === this.vectors)
      .map(([id]) => id)
      .sort((a, b) => a - b);
  }

  /**
   * Interrupts a peer. What was written to the memory before is seen by the peer that is interrupted.
   * @param vector 0 to `vectors` - 1.
   * @throws VkmemError NOT_FOUND where no such peer exists, or this one was closed; INVALID_ARGUMENT for a
   *   vector that peers do not have.
   */
  ring(id: number, vector = 0): void {
    const doorbells = this.#doorbells.get(id);
    if (!doorbells) throw new VkmemError('NOT_FOUND', `No peer ${id} is there.`);
    const doorbell = doorbells[vector];
    if (!doorbell) {
      const reason = `vector: ${vector} is not within 0 to ${this.vectors - 1}.`;
      throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'vector' });
    }
    doorbell.ring();
  }

  /** Leaves; the other peers get the event `leave`. Does nothing the second time. */
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

  /** The words of the handshake come in this order; anything else is a peer that comes or goes. */
  #hear({ value, fd }: Word): void {
    this.#words += 1;
    if (this.#words === 1) expect('the version', value === IVSHMEM_VERSION && !fd);
    else if (this.#words === 2) expect('the id', value === BigInt(this.id) && !fd);
    else if (this.#words === 3) {
      expect('the memory', value === IVSHMEM_MEMORY && fd !== undefined);
      // A user of the client library has its own grant of it.
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

  /** Rings without a listener are counted by the eventfd. */
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
    throw new VkmemError('PROTOCOL_ERROR', `The daemon sent something else in place of ${what}.`);
}
