/** The HTTP server, without a socket of its own, and its error answers. */
import { type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import fastify, { type FastifyReply } from 'fastify';
import type { Reporter } from '../memory/reporter.js';
import { IDLE_MS } from './admin-connections.js';
import { faultOf, refuse, refuseUnread } from './answers.js';

/** Maximum size of a request's line and headers. */
const MAX_HEADER_BYTES = 8192;
/** Maximum length of a path that an error message quotes, in characters. */
const MAX_QUOTED = 200;

const PAGES =
  'The pages are /healthz, /readyz, /metrics, and /api/v1/ with devices, budget, allocations and sessions.';

export type App = ReturnType<typeof makeApp>;

/** @param reporter reports the failures that are answered with INTERNAL. */
export function makeApp(reporter: Reporter) {
  const app = fastify({
    http: { maxHeaderSize: MAX_HEADER_BYTES },
    clientErrorHandler: (failure, socket) => refuseUnread(socket, failure),
    frameworkErrors: (failure, _request, reply) => void refuse(reply as FastifyReply, faultOf(failure)),
    // AdminConnections has its own deadlines, which received bytes do not extend.
    keepAliveTimeout: IDLE_MS,
    requestTimeout: 0,
    return503OnClosing: false,
  }).withTypeProvider<TypeBoxTypeProvider>();
  app.setValidatorCompiler(TypeBoxValidatorCompiler);
  app.setErrorHandler<Error>((failure, request, reply) => {
    const error = faultOf(failure);
    if (error.code === 'INTERNAL') reporter.fault(`a request of ${request.routeOptions.url} failed`, failure);
    return refuse(reply, error);
  });
  app.setNotFoundHandler((request, reply) => {
    const message = `The page ${request.url.slice(0, MAX_QUOTED)} does not exist.`;
    return refuse(reply, { code: 'NOT_FOUND', message, next: PAGES });
  });
  return app;
}
