/**
 * /healthz and /readyz: whether the process is alive, and whether it serves.
 *
 * /healthz is answered by the event loop alone: no answer means that the daemon hangs. /readyz is 200 while
 * the daemon serves, and 503 with every reason while it does not.
 */
import { Type } from 'typebox';
import type { Status } from '../status.js';
import { refusalOf } from './answers.js';
import type { App } from './app.js';
import { REFUSAL } from './schemas.js';

const HEALTH = Type.Object({ status: Type.Literal('ok') }, { additionalProperties: false });

const READINESS = Type.Object(
  { ready: Type.Boolean(), reasons: Type.Array(REFUSAL), warnings: Type.Array(REFUSAL) },
  { additionalProperties: false },
);

export function addHealth(app: App, status: Status): void {
  app.get('/healthz', { config: { access: 'all' }, schema: { response: { 200: HEALTH } } }, async () => ({
    status: 'ok' as const,
  }));
  const response = { 200: READINESS, 503: READINESS };
  app.get('/readyz', { config: { access: 'public' }, schema: { response } }, async (_request, reply) => {
    const { ready, reasons, warnings } = status.report();
    return reply
      .code(ready ? 200 : 503)
      .send({ ready, reasons: reasons.map(refusalOf), warnings: warnings.map(refusalOf) });
  });
}
