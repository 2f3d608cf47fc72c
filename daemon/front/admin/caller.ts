/** The caller of an HTTP request: the connection that it came by. */
import type { HttpCaller } from './ask.js';
import type { AdminConnection } from './deadlines.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** The connection that it came by. */
    admin: AdminConnection | undefined;
  }
}

/** Who asks, of a request that has passed the rules of all pages. */
export function callerOf({ admin }: { readonly admin: AdminConnection | undefined }): HttpCaller {
  if (!admin) throw new Error('the connection of the request is not known yet');
  return admin;
}
