/**
 * Pages: the HTTP server without any socket of its own, and what holds for every page: who may have it, which
 * methods, how often, and how a fault is answered.
 *
 * A page says for whom it is in its route's config: 'anybody' who can connect, 'operators' (who have it by
 * TCP too, where nobody is known, if it is 'public'), or operators on the Unix socket alone, which is what
 * holds where nothing is said.
 */
import { VkmemError } from '@vkmemd/proto';
import type { FastifyRequest } from 'fastify';
import type { FdBudget } from '../limits/fd-budget.js';
import type { Authority } from '../memory/authority.js';
import type { Reporter } from '../memory/reporter.js';
import type { AdminConnection, AdminConnections } from './admin-connections.js';
import { refuse } from './answers.js';
import { type ApiSources, addApi } from './api.js';
import { makeApp } from './app.js';
import { addHealth } from './health.js';
import { namesThisHost } from './listen-address.js';
import { addMetrics, type MetricSources } from './metrics.js';
import type { Readiness } from './readiness.js';

/** What the pages show. */
export type PageSources = ApiSources &
  Omit<MetricSources, 'readiness' | 'connectionCounts'> & {
    readonly authority: Authority;
    readonly fds: FdBudget;
    readonly reporter: Reporter;
  };

type Collaborators = PageSources &
  MetricSources & {
    readonly readiness: Readiness;
    readonly connections: AdminConnections;
  };

export type Pages = Awaited<ReturnType<typeof makePages>>;

export async function makePages(collaborators: Collaborators) {
  const { authority, connections, readiness, reporter } = collaborators;
  const app = makeApp(reporter);
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    const connection = connections.of(request.raw.socket);
    await connections.turn(connection);
    const fault = faultIn(authority, connection, request);
    if (!fault) return;
    // What comes as its body is not read.
    if (fault.closes) reply.header('connection', 'close');
    if (fault.status === 405) reply.header('allow', 'GET, HEAD');
    return refuse(reply, fault.error, fault.status);
  });
  addHealth(app, readiness);
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

/** Why a request is refused before anything of its page is done. */
function faultIn(
  authority: Authority,
  { identity, refusal, rate }: AdminConnection,
  { method, headers, routeOptions }: FastifyRequest,
): { error: VkmemError; status?: number; closes?: true } | undefined {
  if (refusal) return { error: refusal };
  const wait = rate.tryTake();
  if (wait > 0) {
    const error = new VkmemError('RATE_LIMITED', `The connection may send again in ${wait} ms.`, {
      retry_after_ms: String(wait),
    });
    return { error };
  }
  if (method !== 'GET' && method !== 'HEAD') {
    return {
      error: new VkmemError('INVALID_ARGUMENT', `Everything here is read: ${method} is not.`),
      status: 405,
      closes: true,
    };
  }
  if (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0) {
    return { error: new VkmemError('INVALID_ARGUMENT', 'A request here has no body.'), closes: true };
  }
  const { access = 'operators' } = routeOptions.config;
  if (identity) {
    if (access === 'anybody' || authority.isOperator(identity)) return undefined;
    return { error: notForThem(`This is for operators; the caller is user ${identity.uid}.`) };
  }
  if (!namesThisHost(headers.host)) return { error: notForThem('The Host header names another host.') };
  if (access !== 'operators') return undefined;
  return { error: notForThem('TCP names nobody: this is served on the Unix socket alone.') };
}

const notForThem = (reason: string): VkmemError => new VkmemError('NOT_PERMITTED', reason);
