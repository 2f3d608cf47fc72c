/**
 * Pages: the HTTP server, without a socket of its own, and the rules of all pages: access, methods, rate and
 * error answers.
 *
 * A route's config sets the access to its page: 'all' for every process that can connect; 'public' for
 * operators on the Unix socket, and for every process by TCP, where peers have no identity; 'operators' (the
 * default) for operators on the Unix socket only.
 */
import { VkmemError } from '@vkmemd/proto';
import type { FastifyRequest } from 'fastify';
import type { FdBudget } from '../limits/fd-budget.js';
import type { Authority } from '../memory/authority.js';
import type { Reporter } from '../memory/reporter.js';
import type { Status } from '../status.js';
import type { AdminConnection, AdminConnections } from './admin-connections.js';
import { refuse } from './answers.js';
import { type ApiSources, addApi } from './api.js';
import { makeApp } from './app.js';
import { addHealth } from './health.js';
import { namesThisHost } from './listen-address.js';
import { addMetrics, type MetricSources } from './metrics.js';

/** The sources of the pages. */
export type PageSources = ApiSources &
  Omit<MetricSources, 'connectionCounts'> & {
    readonly authority: Authority;
    readonly fds: FdBudget;
    readonly reporter: Reporter;
    readonly status: Status;
  };

type Collaborators = PageSources &
  MetricSources & {
    readonly connections: AdminConnections;
  };

export type Pages = Awaited<ReturnType<typeof makePages>>;

/** @returns the HTTP server, which accepts no connections by itself, and what closes it and the metrics. */
export async function makePages(collaborators: Collaborators) {
  const { authority, connections, status, reporter } = collaborators;
  const app = makeApp(reporter);
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    const connection = connections.of(request.raw.socket);
    await connections.turn(connection);
    const fault = faultIn(authority, connection, request);
    if (!fault) return;
    // The body is not read.
    if (fault.closes) reply.header('connection', 'close');
    if (fault.status === 405) reply.header('allow', 'GET, HEAD');
    return refuse(reply, fault.error, fault.status);
  });
  addHealth(app, status);
  const metrics = addMetrics(app, collaborators);
  addApi(app, collaborators);
  await app.ready();
  return {
    server: app.server,
    close: async () => {
      metrics[Symbol.dispose]();
      await app.close();
    },
  };
}

/** Why a request is refused before its page is run. */
function faultIn(
  authority: Authority,
  { identity, refusal, rate }: AdminConnection,
  { method, headers, routeOptions }: FastifyRequest,
): { error: VkmemError; status?: number; closes?: true } | undefined {
  if (refusal) return { error: refusal };
  const wait = rate.tryTake();
  if (wait > 0) {
    const error = new VkmemError('RATE_LIMITED', `The connection may send its next request in ${wait} ms.`, {
      retry_after_ms: String(wait),
    });
    return { error };
  }
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
  const { access = 'operators' } = routeOptions.config;
  if (identity) {
    if (access === 'all' || authority.isOperator(identity)) return undefined;
    return {
      error: refused(
        `Only operators may request this page; user ${identity.uid} is not an operator.`,
        'Ask an operator, or for operator = true in the policy; vkmemctl status is for all users.',
      ),
    };
  }
  if (!namesThisHost(headers.host)) {
    return {
      error: refused(
        'The Host header must name this host (localhost or a loopback address).',
        'Request the page under localhost; for other hosts, put a proxy before the Unix socket.',
      ),
    };
  }
  if (access !== 'operators') return undefined;
  return {
    error: refused(
      'This page is served on the Unix socket only, since TCP does not identify the caller.',
      'Request it as an operator with curl --unix-socket.',
    ),
  };
}

const refused = (reason: string, next: string): VkmemError =>
  new VkmemError('NOT_PERMITTED', reason, {}, undefined, next);
const invalid = (reason: string, next: string): VkmemError =>
  new VkmemError('INVALID_ARGUMENT', reason, {}, undefined, next);
