/**
 * One handoff connection: the Hello, then requests and their answers, until it ends. Requests that need no
 * session may precede the Hello.
 *
 * A datagram is decoded, enters the gate (gate.ts) and is served; its answer is encoded and sent with its
 * fds. Requests run concurrently, and are answered as they finish. A message that breaks the protocol is
 * answered and ends the connection. A request that fails is answered and changes nothing. An answer that
 * cannot be sent ends the connection, because its client would wait for it, with grants that it does not know
 * of. Requests with an fd are read one at a time. The session ends with the connection or with the process
 * that opened it, whichever ends first. A process that inherited the connection resumes the session. All
 * requests of its predecessor must be answered before, so that neither process gets the other's answers. Where the
 * kernel does not know the process, the client may identify it by a second Hello (challenge.ts).
 */
import {
  asVkmemError,
  BOUNDS_OF_BODY,
  type Bounds,
  type CloseReason,
  Connection,
  closeAll,
  costOf,
  type Decoded,
  type Draft,
  decode,
  encode,
  type Fault,
  MAX_CLIENT_FDS,
  MAX_MESSAGE_BYTES,
  type MessageSender,
  type OwnedFd,
  statusOf,
  UNKNOWN_BODY,
  VkmemError,
} from '@vkmemd/proto';
import { slices } from '../limits/slices.js';
import type { Authority } from '../memory/authority.js';
import type { Persistence } from '../memory/persistence.js';
import type { Reporter } from '../memory/reporter.js';
import type { Caller } from '../memory/session/caller.js';
import { ClientProcess } from '../memory/session/client-process.js';
import type { IdentifiedProcesses } from '../memory/session/identified-processes.js';
import type { SessionLifecycle } from '../memory/session/lifecycle.js';
import type { Session } from '../memory/session/session.js';
import type { Identity } from '../policy/identity.js';
import { beginRequest, type RequestEvents, reportAnswer } from '../requests/events.js';
import type { Answer, Handler, PartsHandler } from '../requests/handler.js';
import type { Handlers, PartsHandlers } from '../requests/handlers.js';
import type { Greeted, Greetings } from '../requests/hello.js';
import type { Place } from './admission.js';
import type { Challenge } from './challenge.js';
import { type Entry, Gate } from './gate.js';
import { errorOfFault, goodbye } from './reject.js';

type Message = Decoded<'ClientMessage'>;
type Hello = NonNullable<Message['hello']>;
const boundsOf = (body: string | undefined): Bounds => BOUNDS_OF_BODY.get(body) ?? UNKNOWN_BODY;

/** The collaborators of a connection. */
export interface PeerCollaborators {
  readonly authority: Authority;
  readonly lifecycle: SessionLifecycle;
  readonly persistence: Persistence;
  readonly reporter: Reporter;
  readonly requestEvents: RequestEvents;
  readonly greetings: Greetings;
  readonly handlers: Handlers;
  readonly partsHandlers: PartsHandlers;
  readonly identifiedProcesses: IdentifiedProcesses;
}

/** Who connected. */
export interface Connected {
  readonly identity: Identity;
  /** For a peer of which the kernel gives no pidfd; disposed with the connection. */
  readonly challenge: Challenge | undefined;
}

export class Peer {
  readonly #with: PeerCollaborators;
  #identity: Identity;
  /** Undefined once it is answered. */
  #challenge: Challenge | undefined;
  /** The Hello of a peer whose session begins once its process is known. */
  #postponed: Hello | undefined;
  readonly #connection: Connection;
  readonly #greeting: NodeJS.Timeout;
  readonly #gone: (peer: Peer, unread: OwnedFd | undefined) => void;
  readonly #place: Place;
  readonly #gate: Gate;
  #process: ClientProcess | undefined;
  #identified: Disposable | undefined;
  #watch: Disposable;
  #session: Session | undefined;
  #parting = false;

  /**
   * @param fd the socket; ownership is taken.
   * @param place its `process` is disposed here, with the pidfd.
   * @param gone called once, when the connection has ended; it gets ownership of the socket if fds in it are
   *   unread.
   */
  constructor(
    collaborators: PeerCollaborators,
    fd: OwnedFd,
    { identity, challenge }: Connected,
    place: Place,
    gone: (peer: Peer, unread: OwnedFd | undefined) => void,
  ) {
    this.#with = collaborators;
    this.#identity = identity;
    this.#challenge = challenge;
    this.#place = place;
    this.#gone = gone;
    const handlers = {
      message: (data: Buffer, fds: OwnedFd[], sender?: MessageSender) => this.#receive(data, fds, sender),
      fault: (fault: Fault) => goodbye(0n, errorOfFault(fault)),
      close: (_reason: CloseReason, unread?: OwnedFd) => this.#leave(unread),
    };
    const { queuedMessages, queuedBytes, handshakeMs } = place.limits;
    this.#watch = place.process;
    this.#connection = new Connection(fd, handlers, {
      maxMessageBytes: MAX_MESSAGE_BYTES,
      maxFds: MAX_CLIENT_FDS,
      maxQueuedMessages: queuedMessages,
      maxQueuedBytes: queuedBytes,
      maxQueuedFds: 0,
      untrusted: true,
      keepsUnread: true,
    });
    this.#gate = new Gate(this.#connection, place);
    this.#greeting = setTimeout(() => {
      this.#sayGoodbye(
        0n,
        new VkmemError('PROTOCOL_ERROR', `No Hello was received within ${handshakeMs} ms.`),
      );
    }, handshakeMs);
  }

  /**
   * Closes the connection when the process that opened it exits, even if another process has the socket.
   * Takes ownership of the pidfd.
   */
  closeOnExit(pidfd: OwnedFd): ClientProcess {
    const process = new ClientProcess(this.#identity, pidfd, this.#place.process);
    this.#process = process;
    this.#watch = process.watch(() => this.close());
    return process;
  }

  /** Closes the connection at once. */
  close(): void {
    this.#connection.close();
  }

  /** Stops reading; resolves when all requests under way are answered and the connection is closed. */
  async finish(): Promise<void> {
    const reason = new VkmemError('UNAVAILABLE', 'The daemon is stopping.');
    await this.#gate.finish(reason);
    this.#parting = this.#with.persistence.persists; // then the session outlives its connection
    this.#sayGoodbye(0n, reason);
  }

  #receive(data: Buffer, fds: OwnedFd[], sender: MessageSender | undefined): void {
    let sequence = 0n;
    try {
      const cost = costOf('ClientMessage', data, boundsOf);
      const message = decode('ClientMessage', data);
      sequence = message.sequence;
      const permitted = !message.import || this.#with.authority.rightsOf(this.#identity).import;
      const entry = this.#gate.enter(message, fds.length, cost, permitted);
      if (message.hello) this.#greet(sequence, message.hello, entry, sender);
      else void this.#answer(message, fds, entry);
    } catch (failure) {
      closeAll(fds);
      this.#sayGoodbye(sequence, asVkmemError(failure));
    }
  }

  /**
   * Begins a session, or resumes the one that this connection has.
   * @throws VkmemError for an error that ends the connection.
   */
  #greet(sequence: bigint, hello: Hello, entry: Entry, sender: MessageSender | undefined): void {
    using _entered = entry;
    if (hello.proof.byteLength > 0) {
      this.#identify(sequence, hello, sender);
      return;
    }
    const { greetings } = this.#with;
    const others = this.#session ? this.#gate.underWay - 1 : 0;
    if (others > 0) {
      const reason = `The session cannot be resumed: ${others} requests are under way.`;
      throw new VkmemError('PROTOCOL_ERROR', reason);
    }
    const challenge = this.#challenge;
    if (challenge && greetings.isKnown(this.#identity, hello)) this.#believe(challenge);
    try {
      const greeted = this.#session
        ? greetings.resume(this.#session, hello)
        : greetings.begin(this.#identity, this.#process, hello);
      this.#welcome(sequence, greeted);
    } catch (refusal) {
      if (!this.#mayLift(refusal)) throw refusal;
      this.#postponed = hello;
      this.#send({ sequence, welcome: { ...greetings.postponed(), ...this.#nextChallenge() } });
    }
  }

  /** Whether the peer may be served once its unit is known. */
  #mayLift(refusal: unknown): boolean {
    const { identity } = this.#challenge ?? {};
    if (this.#session || identity?.unit === undefined || !(refusal instanceof VkmemError)) return false;
    const byPolicy = refusal.code === 'NOT_PERMITTED' || refusal.code === 'TOO_MANY_SESSIONS';
    return byPolicy && this.#with.authority.rightsOf(identity).connect;
  }

  /**
   * The client answers the challenge. If another process did, the session stays as it is.
   * @throws VkmemError for an error that ends the connection.
   */
  #identify(sequence: bigint, hello: Hello, sender: MessageSender | undefined): void {
    const challenge = this.#challenge;
    if (!challenge) throw new VkmemError('PROTOCOL_ERROR', 'Hello has a proof, but there is no challenge.');
    if (hello.resume) throw new VkmemError('PROTOCOL_ERROR', 'Hello has both a proof and resume.');
    try {
      challenge.answer(hello.proof, sender);
    } catch (failure) {
      const error = asVkmemError(failure);
      if (error.code !== 'NOT_PERMITTED') throw error;
      this.#respond({ sequence, error: statusOf(error) });
      return;
    }
    const process = this.#believe(challenge);
    const { greetings } = this.#with;
    const first = this.#postponed ?? hello;
    this.#postponed = undefined;
    this.#welcome(
      sequence,
      this.#session
        ? greetings.prove(this.#session, this.#identity, process)
        : greetings.begin(this.#identity, process, first),
    );
  }

  /** The connection is that of the challenge's process. Takes ownership of its pidfd. */
  #believe({ identity, pidfd }: Challenge): ClientProcess {
    this.#challenge = undefined;
    this.#connection.identifySender(undefined);
    this.#identity = identity;
    const process = this.closeOnExit(pidfd);
    this.#identified = this.#with.identifiedProcesses.add(identity.uid, process);
    return process;
  }

  #nextChallenge(): { readonly challenge?: Buffer } {
    const challenge = this.#challenge?.next();
    this.#connection.identifySender(challenge);
    return challenge ? { challenge } : {};
  }

  #welcome(sequence: bigint, { session, welcome }: Greeted): void {
    clearTimeout(this.#greeting);
    this.#session = session;
    const { requestEvents } = this.#with;
    reportAnswer(requestEvents, 'handoff', 'hello', 'OK', { identity: this.#identity, session });
    this.#send({ sequence, welcome: { ...welcome, ...this.#nextChallenge() } });
  }

  /** Serves a request. Takes ownership of the fds of the message. */
  async #answer(message: Message, incoming: OwnedFd[], entry: Entry): Promise<void> {
    const session = this.#session;
    const { sequence, body = 'message' } = message;
    const { authority, reporter, requestEvents } = this.#with;
    const takeCredit = async (fds: number) => entry.more(fds);
    const gone = () => session?.ended === true;
    const caller = { identity: this.#identity, session, takeCredit, takePart: entry.part, gone };
    const answered = beginRequest(requestEvents, 'handoff', body);
    try {
      if (entry.ready) await entry.ready;
      // A session was begun with this right.
      if (!session) authority.requireConnect(this.#identity);
      const { name, row } = entry;
      let failed: 'INTERNAL' | 'undelivered' | undefined;
      if (row.shape === 'parts') {
        const handler = this.#with.partsHandlers[name as keyof PartsHandlers] as PartsHandler<never>;
        for await (const part of handler(caller, message[row.body] as never)) {
          failed = this.#deliver(caller, sequence, row.answer, part);
          if (failed) break;
        }
      } else {
        const handler = this.#with.handlers[name as keyof Handlers] as Handler<never>;
        const answer = await handler(caller, message[row.body] as never, incoming);
        failed = this.#deliver(caller, sequence, row.answer, answer);
      }
      answered(failed === 'INTERNAL' ? failed : 'OK', caller);
    } catch (failure) {
      closeAll(incoming);
      const error = asVkmemError(failure);
      if (error.code === 'INTERNAL') reporter.fault(`a ${body} request failed`, failure);
      const failed = this.#respond({ sequence, error: statusOf(error) });
      answered(failed === 'INTERNAL' ? failed : error.code, caller);
    } finally {
      entry[Symbol.dispose]();
    }
  }

  /** Sends an answer of a handler, or a part of it. @returns as #respond(). */
  #deliver(
    caller: Caller,
    sequence: bigint,
    field: string,
    { response, fds }: Answer<never>,
  ): 'INTERNAL' | 'undelivered' | undefined {
    const failed = this.#respond({ sequence, fdCount: fds.length, [field]: response }, fds);
    if (failed === 'undelivered') this.#takeBack(caller, response);
    return failed;
  }

  /**
   * Sends an answer. If that fails, ends the connection.
   * @param fds ownership is taken.
   * @returns undefined if the answer was sent; 'undelivered' if the peer has gone, or reads no more.
   */
  #respond(message: Draft<'ServerMessage'>, fds: OwnedFd[] = []): 'INTERNAL' | 'undelivered' | undefined {
    try {
      return this.#send(message, fds) ? undefined : 'undelivered';
    } catch (failure) {
      this.#with.reporter.fault('an answer could not be sent', failure);
      this.#sayGoodbye(
        BigInt(message.sequence ?? 0),
        new VkmemError('INTERNAL', 'The answer could not be sent.'),
      );
      return 'INTERNAL';
    }
  }

  /**
   * Drops the grants of an answer that no process has received. Otherwise their locks would stay with the session's
   * process, which could have mapped the memory.
   */
  #takeBack(caller: Caller, response: object): void {
    if (caller.gone()) return;
    for (const { id } of grantsIn(response)) void this.#with.handlers.Release(caller, { grantId: id }, []);
  }

  /**
   * @param message its fd_count is the number of fds. @param fds ownership is taken, also on failure.
   * @returns false if the peer has gone.
   */
  #send(message: Draft<'ServerMessage'>, fds: OwnedFd[] = []): boolean {
    let data: Buffer;
    try {
      data = encode('ServerMessage', message);
    } catch (failure) {
      closeAll(fds);
      throw failure;
    }
    return this.#connection.send(data, fds);
  }

  #sayGoodbye(sequence: bigint, error: VkmemError): void {
    this.#connection.end(goodbye(sequence, error));
    reportAnswer(this.#with.requestEvents, 'handoff', 'connection', error.code, {
      identity: this.#identity,
    });
  }

  /** The connection has ended. In a slice, since those of thousands may end in one turn of the event loop. */
  #leave(unread: OwnedFd | undefined): void {
    slices
      .run(this.#identity.tenant, [unread], () => this.#closed(unread))
      .catch((failure) => this.#with.reporter.fault('an ended connection could not be released', failure));
  }

  #closed(unread: OwnedFd | undefined): void {
    clearTimeout(this.#greeting);
    this.#gate[Symbol.dispose]();
    this.#gone(this, unread);
    this.#identified?.[Symbol.dispose]();
    this.#challenge?.[Symbol.dispose]();
    const stays = this.#parting && !this.#process?.exited;
    if (this.#session && !stays) void this.#with.lifecycle.end(this.#session);
    this.#watch[Symbol.dispose](); // last, since locks of the session may have to watch the process
  }
}

/** The grants of an answer, or of a part of one. */
function grantsIn(response: object): Pick<Decoded<'Grant'>, 'id'>[] {
  const { grants = [], outcomes = [] } = response as Partial<Decoded<'ClaimResponse'>> &
    Partial<{ outcomes: (Partial<Decoded<'AllocateOutcome'>> & Partial<Decoded<'ClaimOutcome'>>)[] }>;
  return [...grants, ...outcomes.flatMap(({ made, granted }) => (made ?? granted)?.grants ?? [])];
}
