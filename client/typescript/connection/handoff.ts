/**
 * The client's end of the handoff socket: requests out, answers back by their sequence, in any order.
 *
 * The daemon reads no more than 32 requests of a session at once; what is asked beyond that waits here, where it
 * costs nothing but the fds that go with it, instead of in the socket. The connection ends once: closed here, hung up there, or broken by a
 * message that does not add up. What is left then, under way or waiting, is rejected, as every later request is; or
 * handed to whoever may ask it again on another connection (link.ts).
 */
import {
  type CloseReason,
  Connection,
  closeAll,
  type Decoded,
  type Draft,
  decode,
  encode,
  errorOf,
  MAX_MESSAGE_BYTES,
  MAX_MESSAGE_FDS,
  type OwnedFd,
  VkmemError,
} from '@vkmemd/proto';
import { checkAnswer } from './answer.js';
import {
  ANSWERS,
  type Answer,
  type ConnectionLost,
  type Pending,
  type Request,
  type Requester,
  rejectAll,
} from './request.js';

const MAX_IN_FLIGHT = 32;

export class HandoffConnection implements Requester {
  /** Resolves when the connection has ended, for whatever reason. Never rejects. */
  readonly closed: Promise<void>;
  readonly #connection: Connection;
  readonly #inFlight = new Map<bigint, Pending>();
  readonly #waiting: Pending[] = [];
  #lastSequence = 0n;
  #end: VkmemError | undefined;
  #heir: ConnectionLost = rejectAll;

  /**
   * Nothing is said yet.
   * @param socket connected to the daemon (openSeqpacket, adoptSeqpacket); taken.
   */
  constructor(socket: OwnedFd) {
    let ended = (): void => {};
    this.closed = new Promise((resolve) => {
      ended = resolve;
    });
    this.#connection = new Connection(
      socket,
      {
        message: (data, fds) => this.#receive(data, fds),
        close: (reason) => {
          this.#fail(endOf(reason));
          ended();
        },
      },
      { maxMessageBytes: MAX_MESSAGE_BYTES, maxFds: MAX_MESSAGE_FDS },
    );
  }

  /** Why no request can be made any more; undefined while the connection lives. */
  get end(): VkmemError | undefined {
    return this.#end;
  }

  request<R extends Request>(
    request: R,
    fields: NonNullable<Draft<'ClientMessage'>[R]>,
    fds: readonly OwnedFd[] = [],
  ): Promise<Answer<R>> {
    return new Promise<Answer<R>>((resolve, reject) => {
      this.ask({ request, fields: { [request]: fields }, fds, asked: 0, resolve, reject });
    });
  }

  /** Asks what may have been asked before, and settles it. */
  ask(pending: Pending): void {
    this.#waiting.push(pending);
    this.#pump();
  }

  /** Has somebody else see to what is left at the end, in place of its rejection. */
  onConnectionLost(heir: ConnectionLost): void {
    this.#heir = heir;
  }

  /** Lets the process end although this is still open; ref() takes it back. */
  unref(): void {
    this.#connection.unref();
  }

  ref(): void {
    this.#connection.ref();
  }

  /** Ends the connection and with it the session; requests under way are rejected with `reason`. */
  close(reason: VkmemError): void {
    this.#fail(reason);
    this.#connection.close();
  }

  #pump(): void {
    while (this.#inFlight.size < MAX_IN_FLIGHT) {
      const next = this.#waiting.shift();
      if (!next) return;
      this.#send(next);
    }
  }

  #send(pending: Pending): void {
    const { fields, fds } = pending;
    if (this.#end) {
      closeAll(fds);
      pending.reject(new VkmemError('UNAVAILABLE', this.#end.reason, {}, this.#end));
      return;
    }
    const sequence = this.#lastSequence + 1n;
    try {
      // A message that is dropped, since the daemon is going, is rejected by the end that follows.
      this.#connection.send(encode('ClientMessage', { ...fields, sequence, fdCount: fds.length }), fds);
      this.#lastSequence = sequence;
      pending.asked += 1;
      this.#inFlight.set(sequence, pending);
    } catch (failure) {
      closeAll(fds);
      pending.reject(failure);
    }
  }

  #receive(data: Buffer, fds: OwnedFd[]): void {
    let pending: Pending | undefined;
    try {
      const message = decode('ServerMessage', data);
      pending = this.#inFlight.get(message.sequence);
      checkAnswer(message, fds.length);
      if (message.error && message.sequence === 0n) this.#fail(errorOf(message.error));
      else if (pending) this.#settle(message, pending, fds);
      else
        throw new VkmemError(
          'PROTOCOL_ERROR',
          `The daemon answered ${message.sequence}, which was not asked.`,
        );
    } catch (failure) {
      closeAll(fds);
      this.close(failure as VkmemError);
    }
  }

  #settle(message: Decoded<'ServerMessage'>, pending: Pending, fds: OwnedFd[]): void {
    const answer = message[ANSWERS[pending.request]];
    if (!message.error && !answer) {
      throw new VkmemError('PROTOCOL_ERROR', `The daemon answered ${pending.request} with ${message.body}.`);
    }
    this.#inFlight.delete(message.sequence);
    if (message.error) pending.reject(errorOf(message.error));
    else pending.resolve({ message: answer, fds } as Answer<never>);
    this.#pump();
  }

  #fail(reason: VkmemError): void {
    if (this.#end) return;
    this.#end = reason;
    const left = [...this.#inFlight.values(), ...this.#waiting.splice(0)];
    this.#inFlight.clear();
    this.#heir(left, reason);
  }
}

/** UNAVAILABLE where another connection may do better. */
function endOf(reason: CloseReason): VkmemError {
  if (reason.kind === 'hangup') return new VkmemError('UNAVAILABLE', 'The daemon hung up.');
  if (reason.kind === 'error')
    return new VkmemError('UNAVAILABLE', `The connection failed: ${reason.message}.`);
  if (reason.kind === 'closed') return new VkmemError('UNAVAILABLE', 'The connection was closed.');
  // The first for want of fds in this process, the other since the daemon stands still.
  const passing = reason.kind === 'fds-truncated' || reason.kind === 'overflow';
  const code = passing ? 'UNAVAILABLE' : 'PROTOCOL_ERROR';
  return new VkmemError(code, `A limit of the protocol was broken: ${reason.kind}.`);
}
