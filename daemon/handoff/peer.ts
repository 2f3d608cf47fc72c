/**
 * One handoff connection: greeting, then requests and their answers, until it hangs up.
 *
 * Requests run side by side and are answered as they finish, at the pace that the limits allow (pace.ts, credit.ts). A
 * message that breaks the protocol is answered and ends the connection; a request that fails is answered and changes
 * nothing. Requests with an fd are read one at a time. The session ends with the connection, or with the process that
 * opened it, whichever is first. A process that inherited the connection resumes the session: what its predecessor
 * said is over then, so that the two cannot get each other's answers.
 */
import {
  asVkmemError,
  type CloseReason,
  Connection,
  closeAll,
  type Decoded,
  type Draft,
  decode,
  type ErrorCode,
  encode,
  type Fault,
  MAX_MESSAGE_BYTES,
  type OwnedFd,
  statusOf,
  VkmemError,
} from '@vkmemd/proto';
import { endSession } from '../memory/allocation/draining.js';
import type { Domain } from '../memory/domain.js';
import { ClientProcess } from '../memory/session/client-process.js';
import type { Session } from '../memory/session/session.js';
import type { Identity } from '../policy/identity.js';
import { beginRequest, publishRequest } from '../requests/events.js';
import type { Place } from './admission.js';
import { fdsAskedBy } from './credit.js';
import { checkFds, MAX_CLIENT_FDS } from './frame.js';
import { checkHello, sessionFor, welcomeTo } from './greeting.js';
import { ReadThrottle } from './read-throttle.js';
import { errorOfFault, goodbye } from './reject.js';
import { serve } from './requests.js';

export class Peer {
  readonly #domain: Domain;
  readonly #identity: Identity;
  readonly #connection: Connection;
  readonly #greeting: NodeJS.Timeout;
  readonly #gone: (peer: Peer, unread: OwnedFd | undefined) => void;
  readonly #pace: ReadThrottle;
  #process: ClientProcess | undefined;
  #unwatch: () => void;
  #session: Session | undefined;
  #lastSequence = 0n;
  #parting = false;

  /** @param fd owned by the peer from here. @param gone called once; owns the socket where fds are unread in it. */
  constructor(
    domain: Domain,
    fd: OwnedFd,
    identity: Identity,
    place: Place,
    gone: (peer: Peer, unread: OwnedFd | undefined) => void,
  ) {
    this.#domain = domain;
    this.#identity = identity;
    this.#gone = gone;
    const handlers = {
      message: (data: Buffer, fds: OwnedFd[]) => this.#receive(data, fds),
      fault: (fault: Fault) => goodbye(0n, errorOfFault(fault)),
      close: (_reason: CloseReason, unread?: OwnedFd) => this.#closed(unread),
    };
    const { queuedMessages, queuedBytes, handshakeMs } = place.limits;
    this.#unwatch = place.forgetProcess;
    this.#connection = new Connection(fd, handlers, {
      maxMessageBytes: MAX_MESSAGE_BYTES,
      maxFds: MAX_CLIENT_FDS,
      maxQueuedMessages: queuedMessages,
      maxQueuedBytes: queuedBytes,
      maxQueuedFds: 0,
      untrusted: true,
      keepsUnread: true,
    });
    this.#pace = new ReadThrottle(this.#connection, place);
    this.#greeting = setTimeout(() => {
      this.#drop(0n, new VkmemError('PROTOCOL_ERROR', `No Hello came within ${handshakeMs} ms.`));
    }, handshakeMs);
  }

  /** Closes the connection when the process that opened it ends, whoever else has the socket. Takes the pidfd. */
  endWith(pidfd: OwnedFd): void {
    this.#process = new ClientProcess(this.#identity.pid, pidfd, this.#unwatch);
    this.#unwatch = this.#process.watch(() => this.close());
  }

  /** Hangs up at once. */
  close(): void {
    this.#connection.close();
  }

  /** Stops reading; resolves when all under way is answered, with the connection closed. */
  async finish(): Promise<void> {
    const reason = new VkmemError('UNAVAILABLE', 'The daemon is stopping.');
    await this.#pace.finish(reason);
    this.#parting = this.#domain.persistence.keeps; // then the session goes on without its connection
    this.#drop(0n, reason);
  }

  #receive(data: Buffer, fds: OwnedFd[]): void {
    let sequence = 0n;
    this.#pace.count();
    try {
      const message = decode('ClientMessage', data);
      ({ sequence } = message);
      checkFds(message, fds.length);
      this.#checkFrame(message);
      if (!this.#session) this.#greet(message);
      else if (message.hello) this.#resume(this.#session, message);
      else void this.#answer(this.#session, message, fds);
    } catch (failure) {
      closeAll(fds);
      this.#drop(sequence, asVkmemError(failure));
    }
  }

  #checkFrame({ sequence, body, hello }: Decoded<'ClientMessage'>): void {
    const resumes = this.#session !== undefined && hello?.resume === true;
    const before = resumes ? 0n : this.#lastSequence;
    if (sequence <= before) {
      throw new VkmemError('PROTOCOL_ERROR', `Sequence ${sequence} follows ${before}.`);
    }
    this.#lastSequence = sequence;
    if (!body) throw new VkmemError('PROTOCOL_ERROR', 'The message has no body that this daemon knows.');
    if (!resumes && (body === 'hello') !== !this.#session) {
      throw new VkmemError(
        'PROTOCOL_ERROR',
        this.#session ? 'Hello came twice.' : `${body} came before Hello.`,
      );
    }
  }

  #greet({ sequence, hello }: Decoded<'ClientMessage'>): void {
    const { session, restored } = sessionFor(this.#domain, this.#identity, this.#process, hello);
    clearTimeout(this.#greeting);
    this.#session = session;
    this.#send({ sequence, welcome: welcomeTo(this.#domain, session, restored) });
  }

  #resume(session: Session, { sequence, hello }: Decoded<'ClientMessage'>): void {
    const clientName = checkHello(hello);
    const unread = this.#pace.underWay + this.#connection.queuedMessages;
    if (unread > 0) {
      throw new VkmemError(
        'PROTOCOL_ERROR',
        `Hello would resume a session that waits for ${unread} answers.`,
      );
    }
    session.clientName = clientName;
    this.#send({ sequence, welcome: welcomeTo(this.#domain, session) });
  }

  /** Takes the fds of the message over. */
  async #answer(session: Session, message: Decoded<'ClientMessage'>, incoming: OwnedFd[]): Promise<void> {
    const { sequence } = message;
    const asked = fdsAskedBy(message, this.#domain.authority.rightsOf(this.#identity).import);
    let taken = 0;
    const take = async (count: number) => {
      await this.#pace.take(count);
      taken += count;
    };
    const caller = { identity: this.#identity, session, fds: take, gone: () => session.ended };
    const answered = beginRequest(this.#domain, 'handoff', message.body ?? 'message');
    this.#pace.begin();
    try {
      await take(asked);
      const { response, fds } = await serve(this.#domain, caller, message, incoming);
      this.#send({ sequence, ...response }, fds);
      answered('OK', caller);
    } catch (failure) {
      closeAll(incoming);
      answered(this.#refuse(sequence, `a ${message.body} request`, failure), caller);
    } finally {
      this.#pace.end(taken);
    }
  }

  #refuse(sequence: bigint, what: string, failure: unknown): ErrorCode {
    const error = asVkmemError(failure);
    if (error.code === 'INTERNAL') this.#domain.events.fault(what, failure);
    try {
      this.#send({ sequence, error: statusOf(error) });
    } catch (unsendable) {
      // One client's answer that cannot be sent is no reason to leave the others.
      this.#domain.events.fault(`the refusal of ${what}`, unsendable);
      this.#connection.close();
    }
    return error.code;
  }

  #send(message: Draft<'ServerMessage'>, fds: OwnedFd[] = []): void {
    this.#connection.send(encode('ServerMessage', { ...message, fdCount: fds.length }), fds);
  }

  #drop(sequence: bigint, error: VkmemError): void {
    this.#connection.end(goodbye(sequence, error));
    publishRequest(this.#domain, 'handoff', 'connection', error.code, { identity: this.#identity });
  }

  #closed(unread: OwnedFd | undefined): void {
    clearTimeout(this.#greeting);
    this.#pace.close(new VkmemError('UNAVAILABLE', 'The caller is gone.'));
    this.#gone(this, unread);
    const stays = this.#parting && !this.#process?.exited;
    if (this.#session && !stays) void endSession(this.#domain, this.#session);
    this.#unwatch(); // after the session, whose rights may have to wait for the process
  }
}
