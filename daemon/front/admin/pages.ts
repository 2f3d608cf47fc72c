/**
 * Pages: the HTTP server, without a socket of its own, and the rules of all pages: methods, rate, the names of
 * this host, and error answers. Each page sends a request, whose handler decides who may have the answer
 * (requests/access.ts).
 */
import { VkmemError } from '@vkmemd/proto';
import type { FastifyRequest } from 'fastify';
import { refuse } from './answers.js';
import { addApi } from './api.js';
import { makeApp } from './app.js';
import type { Ask } from './ask.js';
import type { AdminConnection, Deadlines } from './deadlines.js';
import { addHealth } from './health.js';
import { namesThisHost } from './host-name.js';
import { addMetrics } from './metrics.js';

interface Collaborators {
  readonly ask: Ask;
  readonly deadlines: Deadlines;
  readonly report: (what: string) => void;
}

export type Pages = Awaited<ReturnType<typeof makePages>>;

/** @returns the HTTP server, which accepts no connections by itself. */
export async function makePages({ ask, deadlines, report }: Collaborators) {
  const app = makeApp(report);
  app.decorateRequest('admin', undefined);
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    const connection = deadlines.of(request.raw.socket);
    request.admin = connection;
    const fault = faultIn(connection, request);
    if (!fault) return;
    // The body is not read.
    if (fault.closes) reply.header('connection', 'close');
    if (fault.status === 405) reply.header('allow', 'GET, HEAD');
    return refuse(reply, fault.error, fault.status);
  });
  addHealth(app, ask);
  addMetrics(app, ask);
  addApi(app, ask);
  await app.ready();
  return { server: app.server, close: () => app.close() };
}

/** Why a request is refused before its page is run. */
function faultIn(
  { tcp }: AdminConnection,
  { method, headers }: FastifyRequest,
): { error: VkmemError; status?: number; closes?: true } | undefined {
  if (method !== 'GET' && method !== 'HEAD') {
    return {
      error: invalid(
        `Only GET and HEAD are permitted, not ${method}.`,
        'Use GET; these pages change nothing, vkmemctl does.',
      ),
      status: 405,
      closes: true,
    };
  }
  if (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0) {
    const error = invalid('The request must not have a body.', 'Send the request without a body.');
    return { error, closes: true };
  }
  if (tcp && !namesThisHost(headers.host)) {
    return {
      error: refused(
        'The Host header must name this host (localhost or a loopback address).',
        'Request the page under localhost; for other hosts, put a proxy before the Unix socket.',
      ),
    };
  }
  return undefined;
}

const refused = (reason: string, next: string): VkmemError =>
  new VkmemError('NOT_PERMITTED', reason, {}, undefined, next);
const invalid = (reason: string, next: string): VkmemError =>
  new VkmemError('INVALID_ARGUMENT', reason, {}, undefined, next);
