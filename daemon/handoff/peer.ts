/**
 * One handoff connection: greeting, then requests and their answers, until it hangs up.
 *
 * Requests run side by side and are answered as they finish; with MAX_IN_FLIGHT of them under way nothing more is
 * read, so that a client waits in its own socket. A message that breaks the protocol is answered and ends the
 * connection; a request that fails is answered and changes nothing. Requests with an fd are read one at a time. The session ends with the connection, or with
 * the process that opened it, whichever is first.
 */
import {
  asVkmemError,
  Connection,
  closeAll,
  type Decoded,
  type Draft,
  decode,
  ExitWatch,
  encode,
  type Fault,
  MAX_MESSAGE_BYTES,
  type OwnedFd,
  PROTOCOL_VERSION,
  statusOf,
  VkmemError,
} from '@vkmemd/proto';
import type { Domain } from '../memory/domain.js';
import { endSession } from '../memory/lifetime.js';
import type { Caller, Identity } from '../memory/policy.js';
import type { Session } from '../memory/session.js';
import { serve } from './requests.js';

const MAX_IN_FLIGHT = 32;
const GREETING_MS = 5000;
const MAX_CLIENT_NAME_BYTES = 128;
/** Of an import. */
const MAX_CLIENT_FDS = 1;

function errorOfFault({ kind }: Fault): VkmemError {
  if (kind !== 'fds-refused') return new VkmemError('PROTOCOL_ERROR', `${kind}.`);
  return new VkmemError('UNAVAILABLE', 'Too many files that clients sent cannot be closed: none is taken.');
}

export class Peer {
  readonly #domain: Domain;
  readonly #identity: Identity;
  readonly #connection: Connection;
  readonly #greeting: NodeJS.Timeout;
  readonly #gone: (peer: Peer) => void;
  #process: ExitWatch | undefined;
  #session: Session | undefined;
  #lastSequence = 0n;
  #inFlight = 0;
  #idle: (() => void) | undefined;

  /** @param fd the accepted socket; owned by the peer from here. @param gone called once, when it has hung up. */
  constructor(domain: Domain, fd: OwnedFd, identity: Identity, gone: (peer: Peer) => void) {
    this.#domain = domain;
    this.#identity = identity;
    this.#gone = gone;
    const handlers = {
      message: (data: Buffer, fds: OwnedFd[]) => this.#receive(data, fds),
      fault: (fault: Fault) => this.#goodbye(0n, errorOfFault(fault)),
      close: () => this.#closed(),
    };
    this.#connection = new Connection(fd, handlers, {
      maxMessageBytes: MAX_MESSAGE_BYTES,
      maxFds: MAX_CLIENT_FDS,
      untrusted: true,
    });
    this.#greeting = setTimeout(() => {
      this.#drop(0n, new VkmemError('PROTOCOL_ERROR', `No Hello came within ${GREETING_MS} ms.`));
    }, GREETING_MS);
  }

  /** Closes the connection when the process that opened it ends, whoever else has the socket. Takes the pidfd. */
  endWith(pidfd: OwnedFd): void {
    this.#process = new ExitWatch(pidfd, () => this.close());
  }

  /** Hangs up at once. */
  close(): void {
    this.#connection.close();
  }

  /** Stops reading; resolves when every request under way is answered, with the connection closed. */
  async finish(): Promise<void> {
    this.#connection.pause();
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    this.#connection.end(this.#goodbye(0n, new VkmemError('UNAVAILABLE', 'The daemon is stopping.')));
  }

  #receive(data: Buffer, fds: OwnedFd[]): void {
    let sequence = 0n;
    try {
      const message = decode('ClientMessage', data);
      ({ sequence } = message);
      this.#checkFrame(message, fds.length);
      if (!this.#session) this.#greet(message);
      else void this.#answer(this.#session, message, fds);
    } catch (failure) {
      closeAll(fds);
      this.#drop(sequence, asVkmemError(failure));
    }
  }

  #checkFrame({ sequence, fdCount, body }: Decoded<'ClientMessage'>, fds: number): void {
    const expected = body === 'import' ? MAX_CLIENT_FDS : 0;
    if (fdCount !== fds || fds !== expected) {
      throw new VkmemError(
        'PROTOCOL_ERROR',
        `fd_count is ${fdCount} and ${fds} came; ${body ?? 'a message'} carries ${expected}.`,
      );
    }
    if (sequence <= this.#lastSequence) {
      throw new VkmemError('PROTOCOL_ERROR', `Sequence ${sequence} follows ${this.#lastSequence}.`);
    }
    this.#lastSequence = sequence;
    if (!body) throw new VkmemError('PROTOCOL_ERROR', 'The message has no body that this daemon knows.');
    if ((body === 'hello') !== !this.#session) {
      throw new VkmemError(
        'PROTOCOL_ERROR',
        this.#session ? 'Hello came twice.' : `${body} came before Hello.`,
      );
    }
  }

  #greet({ sequence, hello }: Decoded<'ClientMessage'>): void {
    const version = hello?.protocolVersion;
    if (version !== PROTOCOL_VERSION) {
      throw new VkmemError(
        'VERSION_UNSUPPORTED',
        `The client speaks ${version}, the daemon ${PROTOCOL_VERSION}.`,
        {
          supported: String(PROTOCOL_VERSION),
        },
      );
    }
    clearTimeout(this.#greeting);
    const clientName = hello?.clientName ?? '';
    if (Buffer.byteLength(clientName) > MAX_CLIENT_NAME_BYTES) {
      throw new VkmemError('PROTOCOL_ERROR', `client_name has more than ${MAX_CLIENT_NAME_BYTES} bytes.`);
    }
    const session = this.#domain.sessions.open(this.#identity, clientName);
    this.#session = session;
    this.#send({
      sequence,
      welcome: {
        protocolVersion: PROTOCOL_VERSION,
        incarnation: this.#domain.sessions.incarnation,
        sessionToken: session.token,
        sessionId: session.id,
        daemonVersion: this.#domain.version,
        maxMessageBytes: MAX_MESSAGE_BYTES,
      },
    });
  }

  /** @param incoming fds of the message; taken over. */
  async #answer(session: Session, message: Decoded<'ClientMessage'>, incoming: OwnedFd[]): Promise<void> {
    this.#inFlight += 1;
    if (this.#inFlight === MAX_IN_FLIGHT) this.#connection.pause();
    const { sequence } = message;
    try {
      const { response, fds } = await serve(this.#domain, this.#caller(session), message, incoming);
      this.#send({ sequence, ...response }, fds);
    } catch (failure) {
      this.#refuse(sequence, `a ${message.body} request`, failure);
    } finally {
      this.#inFlight -= 1;
      if (this.#inFlight === MAX_IN_FLIGHT - 1 && !this.#idle) this.#connection.resume();
      if (this.#inFlight === 0) this.#idle?.();
    }
  }

  #caller(session: Session): Caller {
    return { identity: this.#identity, session, gone: () => session.ended };
  }

  #refuse(sequence: bigint, what: string, failure: unknown): void {
    const error = asVkmemError(failure);
    if (error.code === 'INTERNAL') this.#domain.events.fault(what, failure);
    try {
      this.#send({ sequence, error: statusOf(error) });
    } catch (unsendable) {
      // One client's answer that cannot be sent is no reason to leave the others.
      this.#domain.events.fault(`the refusal of ${what}`, unsendable);
      this.#connection.close();
    }
  }

  #send(message: Draft<'ServerMessage'>, fds: OwnedFd[] = []): void {
    this.#connection.send(encode('ServerMessage', { ...message, fdCount: fds.length }), fds);
  }

  #goodbye(sequence: bigint, error: VkmemError): Uint8Array {
    return encode('ServerMessage', { sequence, error: statusOf(error) });
  }

  #drop(sequence: bigint, error: VkmemError): void {
    this.#connection.end(this.#goodbye(sequence, error));
  }

  #closed(): void {
    clearTimeout(this.#greeting);
    this.#process?.close();
    this.#gone(this);
    if (this.#session) void endSession(this.#domain, this.#session);
  }
}
