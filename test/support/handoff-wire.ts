/**
 * The handoff socket as an independent client sees it: datagrams, sequence numbers and file descriptors,
 * without the client library, so that a test can also send messages that no library would send.
 */
import { join } from 'node:path';
import {
  Connection,
  type Decoded,
  type Draft,
  decode,
  encode,
  errorOf,
  HANDOFF_SOCKET,
  MAX_MANY,
  type OwnedFd,
  openSeqpacket,
  PROTOCOL_VERSION,
} from '@vkmemd/proto';

/** One datagram from the daemon. The receiver owns the fds. */
export interface Received {
  readonly message: Decoded<'ServerMessage'>;
  readonly fds: OwnedFd[];
}

export class HandoffWire {
  readonly connection: Connection;
  /** Resolves when the daemon has closed the connection, to every datagram that was not read before. */
  readonly closed: Promise<Received[]>;
  readonly #inbox: Received[] = [];
  #waiting: (() => void) | undefined;
  #sequence = 0n;
  #over = false;

  /** @param target the daemon's folder, or a connected socket, which this object then owns. */
  constructor(target: string | OwnedFd) {
    let over: (rest: Received[]) => void = () => {};
    this.closed = new Promise((resolve) => {
      over = resolve;
    });
    const handlers = {
      message: (data: Buffer, fds: OwnedFd[]) => {
        this.#inbox.push({ message: decode('ServerMessage', data), fds });
        this.#waiting?.();
      },
      close: () => {
        this.#over = true;
        this.#waiting?.();
        over(this.#inbox);
      },
    };
    const socket = typeof target === 'string' ? openSeqpacket(join(target, HANDOFF_SOCKET)) : target;
    this.connection = new Connection(socket, handlers, {
      maxFds: MAX_MANY,
      maxMessageBytes: 1 << 20, // larger than the daemon accepts, so that a test can send oversized messages
    });
  }

  /** Connects and sends Hello. */
  static async open(
    target: string | OwnedFd,
    resume = false,
  ): Promise<HandoffWire & { welcome: Decoded<'Welcome'> }> {
    // The daemon waits a limited time for Hello, and a slow processor needs seconds to load the schemas.
    encode('ClientMessage', { hello: {} });
    const wire = new HandoffWire(target);
    const hello = { protocolVersion: PROTOCOL_VERSION, clientName: 'test', resume };
    const { message } = await wire.ask({ hello });
    if (!message.welcome) throw new Error('no welcome');
    return Object.assign(wire, { welcome: message.welcome });
  }

  /** Sends Hello, and answers the challenge of a daemon that does not know the process. */
  async greet(clientName: string): Promise<void> {
    const { message } = await this.ask({ hello: { protocolVersion: PROTOCOL_VERSION, clientName } });
    const { challenge } = message.welcome ?? {};
    if (challenge && challenge.byteLength > 0) await this.prove(challenge);
  }

  /** Answers a challenge with the credentials of this process. @throws VkmemError the error in the answer. */
  async prove(challenge: Uint8Array): Promise<Decoded<'Welcome'> | undefined> {
    this.#sequence += 1n;
    const proof = { sequence: this.#sequence, hello: { proof: challenge } };
    this.connection.sendWithCredentials(encode('ClientMessage', proof));
    const { message } = await this.next();
    if (message.error) throw errorOf(message.error);
    return message.welcome ?? undefined;
  }

  /** Sends one message with the next sequence number. */
  send(body: Draft<'ClientMessage'>, fds: OwnedFd[] = []): void {
    this.#sequence += 1n;
    this.connection.send(
      encode('ClientMessage', { sequence: this.#sequence, fdCount: fds.length, ...body }),
      fds,
    );
  }

  /** The next datagram. @throws Error if the daemon closes the connection instead. */
  async next(): Promise<Received> {
    while (this.#inbox.length === 0) {
      if (this.#over) throw new Error('the daemon closed the connection');
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
    return this.#inbox.shift() as Received;
  }

  /** Sends one request and reads its answer. @throws VkmemError the error in the answer. */
  async ask(body: Draft<'ClientMessage'>): Promise<Received> {
    this.send(body);
    const received = await this.next();
    if (received.message.error) throw errorOf(received.message.error);
    return received;
  }

  close(): void {
    this.connection.close();
  }
}
