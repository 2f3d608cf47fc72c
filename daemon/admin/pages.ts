/**
 * Pages: the HTTP server without any socket of its own, and what holds for every page: who may have it, which methods,
 * how often, and how a fault is answered.
 *
 * A page says for whom it is in its route's config: 'anybody' who can connect, 'operators' (who have it by TCP too, where
 * nobody is known, if it is 'public'), or operators on the Unix socket alone, which is what holds where nothing is said.
 */
import { type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import { VkmemError } from '@vkmemd/proto';
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify';
import type { Domain } from '../memory/domain.js';
import { type AdminConnections, IDLE_MS, type Visitor } from './admin-connections.js';
import { faultOf, refuse, refuseUnread } from './answers.js';
import { addApi } from './api.js';
import { addHealth } from './health.js';
import { namesThisHost } from './listen-address.js';
import { addMetrics } from './metrics.js';
import type { Readiness } from './readiness.js';

/** Of a request's line and headers. */
const MAX_HEADER_BYTES = 8192;
/** Of a path that is quoted back, in characters. */
const MAX_QUOTED = 200;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may have the page: see the header of pages.ts. */
    readonly access?: 'anybody' | 'public' | 'operators';
  }
}

/** What the pages show beside the domain. */
export interface Shown {
  readonly readiness: Readiness;
  readonly visitors: AdminConnections;
  connections(): Readonly<Record<string, number>>;
}

export type Pages = Awaited<ReturnType<typeof makePages>>;
export type App = ReturnType<typeof makeApp>;

function makeApp(domain: Domain) {
  const app = fastify({
    http: { maxHeaderSize: MAX_HEADER_BYTES },
    clientErrorHandler: (failure, socket) => refuseUnread(socket, failure),
    frameworkErrors: (failure, _request, reply) => void refuse(reply as FastifyReply, faultOf(failure)),
    // The deadlines are the visitors' own, which bytes do not extend.
    keepAliveTimeout: IDLE_MS,
    requestTimeout: 0,
    return503OnClosing: false,
  }).withTypeProvider<TypeBoxTypeProvider>();
  app.setValidatorCompiler(TypeBoxValidatorCompiler);
  app.setErrorHandler<Error>((failure, request, reply) => {
    const error = faultOf(failure);
    if (error.code === 'INTERNAL') domain.events.fault(`a request of ${request.routeOptions.url}`, failure);
    return refuse(reply, error);
  });
  app.setNotFoundHandler((request, reply) => {
    const message = `There is no page ${request.url.slice(0, MAX_QUOTED)}.`;
    return refuse(reply, { code: 'NOT_FOUND', message, next: 'See docs/admin.md for those that there are.' });
  });
  return app;
}

export async function makePages(domain: Domain, shown: Shown) {
  const app = makeApp(domain);
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    const visitor = shown.visitors.of(request.raw.socket);
    await shown.visitors.turn(visitor);
    const fault = faultIn(domain, visitor, request);
    if (!fault) return;
    // What comes as its body is not read.
    if (fault.closes) reply.header('connection', 'close');
    if (fault.status === 405) reply.header('allow', 'GET, HEAD');
    return refuse(reply, fault.error, fault.status);
  });
  addHealth(app, shown.readiness);
  const metrics = addMetrics(app, domain, shown);
  addApi(app, domain);
  await app.ready();
  return {
    server: app.server,
    close: async () => {
      metrics.close();
      await app.close();
    },
  };
}

/** Why a request is refused before anything of its page is done. */
function faultIn(
  domain: Domain,
  { identity, refusal, rate }: Visitor,
  { method, headers, routeOptions }: FastifyRequest,
): { error: VkmemError; status?: number; closes?: true } | undefined {
  if (refusal) return { error: refusal };
  const wait = rate.tryTake();
  if (wait > 0) {
    const error = new VkmemError('RATE_LIMITED', `The connection may go on in ${wait} ms.`, {
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
    if (access === 'anybody' || domain.authority.isOperator(identity)) return undefined;
    return { error: notForThem(`This is for operators; the caller is user ${identity.uid}.`) };
  }
  if (!namesThisHost(headers.host)) return { error: notForThem('The Host header names another host.') };
  if (access !== 'operators') return undefined;
  return { error: notForThem('TCP names nobody: this is served on the Unix socket alone.') };
}

const notForThem = (reason: string): VkmemError => new VkmemError('NOT_PERMITTED', reason);
