/**
 * The link between the core and the front: a pair of connected SOCK_SEQPACKET sockets, with one end in each.
 *
 * A datagram is one message of proto/vkmem/internal/front.proto. The only fds on it are accepted connections,
 * one with each Caller, from the core to the front. What the other end sends is not trusted: a message that
 * cannot be decoded, or an fd where none may be, ends the link.
 */
import {
  type CloseReason,
  Connection,
  closeAll,
  type Decoded,
  type Draft,
  MAX_MESSAGE_BYTES,
  type OwnedFd,
} from '@vkmemd/proto';
import { decodeLink, encodeLink, type LinkMessage } from './codec.js';

/** Maximum bytes of a request or an answer in one datagram. */
export const PART_BYTES = 60 * 1024;
/** Maximum size of a request in all its parts, in bytes. */
export const MAX_CALL_BYTES = MAX_MESSAGE_BYTES;
/** The answers of a call that may be on their way to the front at a time. */
export const CREDIT = 8;

/** What may wait in this process until the other end reads; beyond it the link ends. */
const MAX_QUEUED = { maxQueuedMessages: 16_384, maxQueuedBytes: 64 * 1024 * 1024, maxQueuedFds: 64 };

/** The callbacks of a link. */
export interface LinkHandlers<In extends LinkMessage> {
  /** One message. The handler owns the fd of a Caller. */
  message(message: Decoded<In>, fd: OwnedFd | undefined): void;
  /** Called once, when the link has ended. @param fault undefined if the other end has closed it, or this one. */
  ended(fault: string | undefined): void;
}

/** One end: sends messages of type `Out`, and receives those of type `In`. */
export class Link<Out extends LinkMessage, In extends LinkMessage> implements Disposable {
  readonly #connection: Connection;
  readonly #out: Out;
  #fault: string | undefined;

  /** @param fd a connected SOCK_SEQPACKET socket; ownership is taken. */
  constructor(fd: OwnedFd, out: Out, into: In, handlers: LinkHandlers<In>) {
    this.#out = out;
    const receive = (data: Buffer, fds: OwnedFd[]): void => {
      let message: Decoded<In>;
      try {
        message = decodeLink(into, data);
        const carries = (message as { body?: string }).body === 'caller' ? 1 : 0;
        if (fds.length !== carries) throw new Error(`${fds.length} fds where ${carries} belong`);
      } catch (failure) {
        closeAll(fds);
        this.fail(String(failure));
        return;
      }
      handlers.message(message, fds[0]);
    };
    const close = (reason: CloseReason) => handlers.ended(this.#fault ?? faultOf(reason));
    this.#connection = new Connection(
      fd,
      { message: receive, close },
      // To close an fd that a front took over sends may block.
      { maxFds: into === 'ToFront' ? 1 : 0, untrusted: into === 'ToCore', ...MAX_QUEUED },
    );
  }

  /** Sends a message. If the link has ended, the message is dropped. @param fd of a Caller; taken. */
  send(message: Draft<Out>, fd?: OwnedFd): void {
    this.#connection.send(encodeLink(this.#out, message), fd && [fd]);
  }

  /** Ends the link, because the other end broke a rule. @param why for the report. */
  fail(why: string): void {
    this.#fault ??= why;
    this.#connection.close();
  }

  /** Reads no further messages until resume(); they wait in the socket. */
  pause(): void {
    this.#connection.pause();
  }

  resume(): void {
    this.#connection.resume();
  }

  /** Ends the link. Messages that the socket has no room for are dropped. */
  [Symbol.dispose](): void {
    this.#connection.close();
  }
}

/** What was wrong; undefined where one end has closed the link. */
function faultOf(reason: CloseReason): string | undefined {
  if (reason.kind === 'error') return reason.message;
  return reason.kind === 'hangup' || reason.kind === 'closed' ? undefined : `the link ended: ${reason.kind}`;
}
