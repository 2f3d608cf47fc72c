/**
 * The admin plane: HTTP for operators and their tools, on connections that the core has accepted: of a Unix
 * socket and, if configured, of loopback addresses. Everything is read only: GET and HEAD, without a body. Who
 * may see a page, the core decides at each request (requests/access.ts).
 *
 * deadlines  connections, and their time limits
 * app        the HTTP server
 * pages      the rules of all pages
 * ask        the requests that the pages send
 * answers    errors as HTTP
 * health     /healthz and /readyz
 * metrics    /metrics
 * api        /api/v1, by the schemas of schemas.ts
 */
import type { Socket } from 'node:net';
import type { CoreCalls } from '../core-calls.js';
import { makeAsk } from './ask.js';
import { type AdminConnection, Deadlines } from './deadlines.js';
import { makePages, type Pages } from './pages.js';

export class AdminServer {
  readonly #deadlines: Deadlines;
  readonly #pages: Pages;

  private constructor(deadlines: Deadlines, pages: Pages) {
    this.#deadlines = deadlines;
    this.#pages = pages;
    // Runs before fastify's listener, since a header must be set before the answer is sent.
    pages.server.prependListener('request', (request, response) => deadlines.begin(request, response));
  }

  /** @param report reports failures that are answered with INTERNAL. */
  static async create(core: CoreCalls, report: (what: string) => void): Promise<AdminServer> {
    const deadlines = new Deadlines();
    return new AdminServer(deadlines, await makePages({ ask: makeAsk(core), deadlines, report }));
  }

  /** Serves a connection. @param firstMs for its first request to arrive, in milliseconds. */
  serve(connection: AdminConnection, socket: Socket, firstMs: number): void {
    if (connection.tcp) socket.setNoDelay(true);
    this.#deadlines.add(socket, connection, firstMs);
    this.#pages.server.emit('connection', socket);
  }

  /** Closes idle connections; the others when they have their answers, or after the time. */
  drain(graceMs: number): void {
    this.#deadlines.close(graceMs);
  }
}
