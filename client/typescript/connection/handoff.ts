/**
 * The client's end of the handoff socket: sends requests, and matches the answers, which arrive in any order,
 * by their sequence.
 *
 * The daemon reads at most 32 requests of a session at once. Further ones wait in this process, not in the
 * socket, and cost only their fds. The connection ends once: closed by this side, closed by the daemon, or
 * ended by an inconsistent message. Requests without an answer are then rejected, or passed to the callback
 * of onConnectionLost(), which may send them on another connection (link.ts). Every later request is
 * rejected.
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
  type HandoffRequest,
  MAX_MANY,
  MAX_MESSAGE_BYTES,
  type OwnedFd,
  PROTOCOL_VERSION,
  REQUESTS,
  type RequestDraft,
  VkmemError,
} from '@vkmemd/proto';
import { checkAnswer } from './answer.js';
import { otherService } from './other-service.js';
import { Parts } from './parts.js';
import {
  type Answer,
  afterEnd,
  type ConnectionLost,
  type Pending,
  type Requester,
  rejectAll,
} from './request.js';
import { tooManyFiles, type Undo, undoOf } from './truncated.js';

const MAX_IN_FLIGHT = 32;

export class HandoffConnection implements Requester {
  /** Resolves when the connection has ended, for any reason. Never rejects. */
  readonly closed: Promise<void>;
  readonly #connection: Connection;
  readonly #inFlight = new Map<bigint, Pending>();
  readonly #waiting: Pending[] = [];
  /** The parts of answers that are not complete yet, by the sequence. */
  readonly #parts = new Map<bigint, Parts>();
  #lastSequence = 0n;
  #end: VkmemError | undefined;
  #onConnectionLost: ConnectionLost = rejectAll;
  /** The path of the socket, or another name of the connection, for error texts. */
  readonly where: string;
  /** Whether the other side has sent a message of the daemon. */
  #answered = false;

  /**
   * Opens the connection without sending a message.
   * @param socket Connected to the daemon (openSeqpacket(), adoptSeqpacket()); taken.
   * @param where The path of the socket, for error texts.
   */
  constructor(socket: OwnedFd, where = 'the inherited session') {
    this.where = where;
    let ended = (): void => {};
    this.closed = new Promise((resolve) => {
      ended = resolve;
    });
    this.#connection = new Connection(
      socket,
      {
        message: (data, fds) => this.#receive(data, fds),
        truncated: (data) => this.#receiveTruncated(data),
        close: (reason) => {
          this.#fail(endOf(reason, this.where));
          ended();
        },
      },
      { maxMessageBytes: MAX_MESSAGE_BYTES, maxFds: MAX_MANY },
    );
  }

  /** Why the connection has ended; undefined while it is open. */
  get end(): VkmemError | undefined {
    return this.#end;
  }

  request<R extends HandoffRequest>(
    request: R,
    fields: RequestDraft<R>,
    fds: readonly OwnedFd[] = [],
  ): Promise<Answer<R>> {
    return new Promise<Answer<R>>((resolve, reject) => {
      this.send({ request, fields, fds, attempts: 0, losses: 0, resolve, reject });
    });
  }

  /**
   * Sends Hello with the credentials of this process, which answers the challenge of the last Welcome.
   * @throws VkmemError as request(); UNAVAILABLE if it cannot be sent at once.
   */
  prove(challenge: Uint8Array): Promise<Answer<'Hello'>> {
    const fields = { protocolVersion: PROTOCOL_VERSION, proof: challenge };
    return new Promise((resolve, reject) => {
      this.send({ request: 'Hello', fields, fds: [], signed: true, attempts: 0, losses: 0, resolve, reject });
    });
  }

  /** Sends a request and settles it. It may have been sent on another connection before. */
  send(pending: Pending): void {
    this.#waiting.push(pending);
    this.#pump();
  }

  /**
   * Passes the requests without an answer to `callback` when the connection ends, instead of rejecting them.
   */
  onConnectionLost(callback: ConnectionLost): void {
    this.#onConnectionLost = callback;
  }

  /** Allows the process to exit while this connection is open; ref() reverts it. */
  unref(): void {
    this.#connection.unref();
  }

  ref(): void {
    this.#connection.ref();
  }

  /** Closes the connection, which ends the session. Requests without an answer are rejected with `reason`. */
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
    const { request, fields, fds, signed = false } = pending;
    if (this.#end) {
      closeAll(fds);
      pending.reject(afterEnd(this.#end));
      return;
    }
    const sequence = this.#lastSequence + 1n;
    try {
      const message: Draft<'ClientMessage'> = {
        [REQUESTS[request].body]: fields,
        sequence,
        fdCount: fds.length,
      };
      // A message is dropped only if the connection has ended; the callback for that then rejects the
      // request.
      const data = encode('ClientMessage', message);
      if (!signed) this.#connection.send(data, fds);
      else if (!this.#connection.sendWithCredentials(data))
        throw new VkmemError('UNAVAILABLE', 'The credentials of this process could not be sent.');
      this.#lastSequence = sequence;
      pending.attempts += 1;
      this.#inFlight.set(sequence, pending);
    } catch (failure) {
      closeAll(fds);
      pending.reject(failure);
    }
  }

  #receive(data: Buffer, fds: OwnedFd[]): void {
    let pending: Pending | undefined;
    try {
      const message = this.#decoded(data);
      pending = this.#inFlight.get(message.sequence);
      checkAnswer(message, fds.length);
      this.#answered = true;
      if (message.error && message.sequence === 0n) this.#fail(errorOf(message.error));
      else if (pending) this.#settle(message, pending, fds);
      else
        throw new VkmemError(
          'PROTOCOL_ERROR',
          `The daemon answered sequence ${message.sequence}, which has no pending request.`,
        );
    } catch (failure) {
      closeAll(fds);
      this.close(failure as VkmemError);
    }
  }

  /** @throws VkmemError PROTOCOL_ERROR. */
  #decoded(data: Buffer): Decoded<'ServerMessage'> {
    try {
      return decode('ServerMessage', data);
    } catch (failure) {
      if (this.#answered) throw failure;
      throw otherService(this.where, 'what it sent is not a message of vkmemd', failure);
    }
  }

  /** Fails the request alone, once what it has made is released. */
  #receiveTruncated(data: Buffer): void {
    try {
      const message = decode('ServerMessage', data);
      const pending = this.#inFlight.get(message.sequence);
      if (!pending) throw new VkmemError('PROTOCOL_ERROR', 'The daemon sent fds that were not requested.');
      const failure = tooManyFiles('This process has no room for the fds of the answer');
      if (REQUESTS[pending.request].shape === 'parts') {
        this.#addPart(message, pending, [], failure);
        return;
      }
      this.#inFlight.delete(message.sequence);
      this.#rejectUndone(pending, undoOf(message), failure);
      this.#pump();
    } catch (failure) {
      this.close(failure as VkmemError);
    }
  }

  /** Resolves once it is answered, or cannot be: the end of the session releases everything. */
  #undo(request: HandoffRequest, fields: unknown): Promise<void> {
    return new Promise((resolve) => {
      const done = ({ fds }: { readonly fds: readonly OwnedFd[] }) => {
        closeAll(fds);
        resolve();
      };
      this.send({ request, fields, fds: [], attempts: 0, losses: 0, resolve: done, reject: () => resolve() });
    });
  }

  /** Rejects a request once what it has made is released. */
  #rejectUndone(pending: Pending, undo: readonly Undo[], failure: VkmemError): void {
    const undone = undo.map(([request, fields]) => this.#undo(request, fields));
    void Promise.all(undone).then(() => pending.reject(failure));
  }

  #addPart(
    message: Decoded<'ServerMessage'>,
    pending: Pending,
    fds: readonly OwnedFd[],
    truncated?: VkmemError,
  ): void {
    const parts = this.#parts.get(message.sequence) ?? new Parts();
    this.#parts.set(message.sequence, parts);
    const { last, undo } = parts.add(message, fds, truncated);
    if (!last) {
      for (const [request, fields] of undo) void this.#undo(request, fields);
      return;
    }
    this.#inFlight.delete(message.sequence);
    this.#parts.delete(message.sequence);
    if (parts.failure) this.#rejectUndone(pending, undo, parts.failure);
    else pending.resolve(parts.answer);
    this.#pump();
  }

  #settle(message: Decoded<'ServerMessage'>, pending: Pending, fds: OwnedFd[]): void {
    const { body, answer: field, shape } = REQUESTS[pending.request];
    const answer = message[field];
    if (!message.error && !answer) {
      throw new VkmemError('PROTOCOL_ERROR', `The daemon answered a request ${body} with ${message.body}.`);
    }
    if (!message.error && shape === 'parts') {
      this.#addPart(message, pending, fds);
      return;
    }
    this.#inFlight.delete(message.sequence);
    if (message.error) {
      const failure = errorOf(message.error);
      const undo = this.#parts.get(message.sequence)?.fail(failure) ?? [];
      this.#parts.delete(message.sequence);
      if (undo.length > 0) this.#rejectUndone(pending, undo, failure);
      else pending.reject(failure);
    } else pending.resolve({ message: answer, fds } as Answer<never>);
    this.#pump();
  }

  #fail(reason: VkmemError): void {
    if (this.#end) return;
    this.#end = reason;
    const unanswered = [...this.#inFlight.values(), ...this.#waiting.splice(0)];
    this.#inFlight.clear();
    for (const parts of this.#parts.values()) parts.drop();
    this.#parts.clear();
    this.#onConnectionLost(unanswered, reason);
  }
}

/** The error of a connection that has ended: UNAVAILABLE if another connection may succeed. */
function endOf(reason: CloseReason, where: string): VkmemError {
  if (reason.kind === 'hangup')
    return new VkmemError('UNAVAILABLE', `${where}: the daemon closed the connection.`);
  if (reason.kind === 'error')
    return new VkmemError('UNAVAILABLE', `${where}: the connection failed: ${reason.message}.`);
  if (reason.kind === 'closed') return new VkmemError('UNAVAILABLE', 'The connection was closed.');
  // The daemon does not read, which may be temporary.
  const code = reason.kind === 'overflow' ? 'UNAVAILABLE' : 'PROTOCOL_ERROR';
  return new VkmemError(code, `${where}: a limit of the connection was exceeded: ${reason.kind}.`);
}
