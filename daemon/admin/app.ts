/**
 * The HTTP server without any socket of its own, and how it answers a fault.
 */
import { type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import fastify, { type FastifyReply } from 'fastify';
import type { Reporter } from '../memory/reporter.js';
import { IDLE_MS } from './admin-connections.js';
import { faultOf, refuse, refuseUnread } from './answers.js';

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

export type App = ReturnType<typeof makeApp>;

/** @param reporter gets the defects that a caller gets as INTERNAL. */
export function makeApp(reporter: Reporter) {
  const app = fastify({
    http: { maxHeaderSize: MAX_HEADER_BYTES },
    clientErrorHandler: (failure, socket) => refuseUnread(socket, failure),
    frameworkErrors: (failure, _request, reply) => void refuse(reply as FastifyReply, faultOf(failure)),
    // The deadlines are AdminConnections' own, which bytes do not extend.
    keepAliveTimeout: IDLE_MS,
    requestTimeout: 0,
    return503OnClosing: false,
  }).withTypeProvider<TypeBoxTypeProvider>();
  app.setValidatorCompiler(TypeBoxValidatorCompiler);
  app.setErrorHandler<Error>((failure, request, reply) => {
    const error = faultOf(failure);
    if (error.code === 'INTERNAL') reporter.fault(`a request of ${request.routeOptions.url}`, failure);
    return refuse(reply, error);
  });
  app.setNotFoundHandler((request, reply) => {
    const message = `There is no page ${request.url.slice(0, MAX_QUOTED)}.`;
    return refuse(reply, { code: 'NOT_FOUND', message, next: 'docs/admin.md lists the pages.' });
  });
  return app;
}
