/**
 * /healthz and /readyz: whether the process is alive, and whether it serves.
 *
 * /healthz is answered by the core's event loop alone: no answer means that the daemon hangs. /readyz is 200 while
 * the daemon serves, and 503 with every reason while it does not.
 */
import type { App } from './app.js';
import type { Ask } from './ask.js';
import { callerOf } from './caller.js';
import { HEALTH, READINESS } from './schemas.js';
import { readinessView } from './views.js';

export function addHealth(app: App, ask: Ask): void {
  app.get('/healthz', { schema: { response: { 200: HEALTH } } }, async (request) => {
    await ask(callerOf(request), 'GetHealth', {});
    return { status: 'ok' as const };
  });
  const response = { 200: READINESS, 503: READINESS };
  app.get('/readyz', { schema: { response } }, async (request, reply) => {
    const readiness = readinessView(await ask(callerOf(request), 'GetStatus', {}));
    return reply.code(readiness.ready ? 200 : 503).send(readiness);
  });
}
