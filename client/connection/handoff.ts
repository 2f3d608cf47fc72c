/**
 * The client's end of the handoff socket: requests out, answers back by their sequence, in any order.
 *
 * The daemon reads no more than 32 requests of a session at once; what is asked beyond that waits here, where it
 * costs nothing but the fds that go with it, instead of in the socket. The connection ends once: closed here, hung up there, or broken by a
 * message that does not add up. Then every request under way is rejected, and every later one too; nothing is sent
 * again on a new connection, since the session, and what it owned, is gone.
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

/** The requests, by the name of their field in ClientMessage, and the field of ServerMessage that answers each. */
const ANSWERS = {
  hello: 'welcome',
  allocate: 'allocate',
  claim: 'claim',
  release: 'release',
  free: 'free',
  import: 'import',
  createTicket: 'createTicket',
  revokeTicket: 'revokeTicket',
  publish: 'publish',
} as const;
type Request = keyof typeof ANSWERS;

/** An answer and the file descriptors of its grants, in their order. The receiver owns them. */
export interface Answer<R extends Request> {
  readonly message: NonNullable<Decoded<'ServerMessage'>[(typeof ANSWERS)[R]]>;
  readonly fds: OwnedFd[];
}

interface Pending {
  readonly request: Request;
  readonly fields: Draft<'ClientMessage'>;
  /** Owned by the request until it is sent. */
  readonly fds: readonly OwnedFd[];
  resolve(answer: Answer<never>): void;
  reject(reason: unknown): void;
}

const MAX_IN_FLIGHT = 32;

export class HandoffConnection {
  /** Resolves when the connection has ended, for whatever reason. Never rejects. */
  readonly closed: Promise<void>;
  readonly #connection: Connection;
  readonly #inFlight = new Map<bigint, Pending>();
  readonly #waiting: Pending[] = [];
  #lastSequence = 0n;
  #end: VkmemError | undefined;

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
          this.#fail(new VkmemError('UNAVAILABLE', describeEnd(reason)));
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

  /**
   * Asks and waits for the answer.
   * @param fds go with the request. Taken, always: also where it is never sent.
   * @throws VkmemError what the daemon refuses with; PROTOCOL_ERROR where its answer does not add up; UNAVAILABLE
   *   where the connection ended before it came.
   */
  request<R extends Request>(
    request: R,
    fields: NonNullable<Draft<'ClientMessage'>[R]>,
    fds: readonly OwnedFd[] = [],
  ): Promise<Answer<R>> {
    return new Promise<Answer<R>>((resolve, reject) => {
      this.#waiting.push({ request, fields: { [request]: fields }, fds, resolve, reject });
      this.#pump();
    });
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
    for (const pending of left) {
      closeAll(pending.fds);
      pending.reject(reason);
    }
  }
}

function describeEnd(reason: CloseReason): string {
  if (reason.kind === 'hangup') return 'The daemon hung up.';
  if (reason.kind === 'error') return `The connection failed: ${reason.message}.`;
  if (reason.kind === 'closed') return 'The connection was closed.';
  return `The daemon broke a limit of the protocol: ${reason.kind}.`;
}
