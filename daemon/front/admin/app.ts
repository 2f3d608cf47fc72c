/** The HTTP server, without a socket of its own, and its error answers. */
import { type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import { VkmemError } from '@vkmemd/proto';
import fastify, { type FastifyReply } from 'fastify';
import { faultOf, refuse, refuseUnread } from './answers.js';
import { IDLE_MS } from './deadlines.js';

/** Maximum size of a request's line and headers. */
const MAX_HEADER_BYTES = 8192;
/** Maximum length of a path that an error message quotes, in characters. */
const MAX_QUOTED = 200;

const PAGES =
  'The pages are /healthz, /readyz, /metrics, and /api/v1/ with devices, budget, allocations and sessions.';

export type App = ReturnType<typeof makeApp>;

/** @param report reports the failures that are answered with INTERNAL; the core reports its own. */
export function makeApp(report: (what: string) => void) {
  const app = fastify({
    http: { maxHeaderSize: MAX_HEADER_BYTES },
    clientErrorHandler: (failure, socket) => refuseUnread(socket, failure),
    frameworkErrors: (failure, _request, reply) => void refuse(reply as FastifyReply, faultOf(failure)),
    // deadlines.ts has its own, which received bytes do not extend.
    keepAliveTimeout: IDLE_MS,
    requestTimeout: 0,
    return503OnClosing: false,
  }).withTypeProvider<TypeBoxTypeProvider>();
  app.setValidatorCompiler(TypeBoxValidatorCompiler);
  app.setErrorHandler<Error>((failure, request, reply) => {
    const error = faultOf(failure);
    if (error.code === 'INTERNAL' && !(failure instanceof VkmemError)) {
      report(`a request of ${request.routeOptions.url} failed: ${failure.stack}`);
    }
    return refuse(reply, error);
  });
  app.setNotFoundHandler((request, reply) => {
    const message = `The page ${request.url.slice(0, MAX_QUOTED)} does not exist.`;
    return refuse(reply, { code: 'NOT_FOUND', message, next: PAGES });
  });
  return app;
}
