/**
 * The connections of the admin plane, and their time limits.
 *
 * Each connection has one deadline at a time: for the whole first request to arrive, for an answer to be made
 * and sent, and for the next request. Received or sent bytes do not extend it, so a client that sends or
 * reads a byte a second is disconnected as one that does nothing.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Time limits for an answer to be made and sent, and from then until the next request, in milliseconds. */
const ANSWER_MS = 30_000;
export const IDLE_MS = 30_000;

export interface AdminConnection {
  readonly number: bigint;
  /** Whether it is a TCP connection, whose peer may be a browser that another site directs. */
  readonly tcp: boolean;
}

/** A connection, with its deadline. */
interface OpenConnection extends AdminConnection {
  underWay: number;
  timer: NodeJS.Timeout;
}

export class Deadlines {
  readonly #open = new Map<Socket, OpenConnection>();
  #stopping = false;

  /** Adds a connection. @param firstMs for its first request to arrive, in milliseconds. */
  add(socket: Socket, connection: AdminConnection, firstMs: number): void {
    const timer = setTimeout(() => socket.destroy(), firstMs);
    this.#open.set(socket, { ...connection, underWay: 0, timer });
    socket.once('close', () => {
      clearTimeout(this.#open.get(socket)?.timer);
      this.#open.delete(socket);
    });
  }

  /** @throws Error for a socket that was not added here. */
  of(socket: Socket): AdminConnection {
    const connection = this.#open.get(socket);
    if (!connection) throw new Error('a request arrived on a connection that was not accepted here');
    return connection;
  }

  /**
   * Begins a request: sets the deadline of its answer, and after the last answer that of the next request.
   */
  begin({ socket }: IncomingMessage, response: ServerResponse): void {
    const connection = this.#open.get(socket);
    if (!connection) return;
    connection.underWay += 1;
    this.#within(socket, connection, ANSWER_MS);
    if (this.#stopping) response.setHeader('connection', 'close');
    response.once('close', () => {
      connection.underWay -= 1;
      if (connection.underWay > 0 || !this.#open.has(socket)) return;
      if (this.#stopping) socket.destroySoon();
      else this.#within(socket, connection, IDLE_MS);
    });
  }

  /** Closes idle connections; the others when they have their answers, or after `graceMs`. */
  close(graceMs: number): void {
    this.#stopping = true;
    for (const [socket, connection] of this.#open) {
      if (connection.underWay === 0) socket.destroy();
      else this.#within(socket, connection, graceMs);
    }
  }

  #within(socket: Socket, connection: OpenConnection, ms: number): void {
    clearTimeout(connection.timer);
    connection.timer = setTimeout(() => socket.destroy(), ms);
  }
}
