/**
 * /api/v1: devices, budget, allocations and sessions as JSON, read only. The answers are those of the
 * requests, in the format of schemas.ts. They contain no secret: a session is shown without its token.
 *
 * Allocations and sessions are returned in pages, oldest first: at most `limit` of them, after the position
 * `after`, which is the `next` of the previous page. It names a position in the order, not an object, so it
 * stays valid when that object is gone: a client that follows it gets each object that exists all the time
 * exactly once.
 */
import type { App } from './app.js';
import type { Ask } from './ask.js';
import { callerOf } from './caller.js';
import * as schemas from './schemas.js';
import { allocationView, budgetView, devicesView, sessionView } from './views.js';

const DEFAULT_LIMIT = 100;
const BUDGET_MS = 2000;

const ALLOCATION_QUERY = schemas.pageQuery('^[0-9]{1,16}\\.[0-9]{1,16}$');
const SESSION_QUERY = schemas.pageQuery('^[0-9]{1,19}$');

export function addApi(app: App, ask: Ask): void {
  app.get(
    '/api/v1/devices',
    { schema: { querystring: schemas.NO_QUERY, response: { 200: schemas.DEVICES } } },
    async (request) => devicesView(await ask(callerOf(request), 'ListDevices', {})),
  );
  app.get(
    '/api/v1/budget',
    { schema: { querystring: schemas.NO_QUERY, response: { 200: schemas.BUDGET } } },
    async (request) => {
      const limit = { ms: BUDGET_MS, what: 'The driver did not report its memory budget' };
      return budgetView(await ask(callerOf(request), 'GetBudget', {}, limit));
    },
  );
  app.get(
    '/api/v1/allocations',
    { schema: { querystring: ALLOCATION_QUERY, response: { 200: schemas.ALLOCATIONS } } },
    async (request) => {
      const answer = await ask(callerOf(request), 'ListAllocations', pageOf(request.query));
      return { allocations: answer.allocations.map(allocationView), next: answer.nextPageToken || null };
    },
  );
  app.get(
    '/api/v1/sessions',
    { schema: { querystring: SESSION_QUERY, response: { 200: schemas.SESSIONS } } },
    async (request) => {
      const answer = await ask(callerOf(request), 'ListSessions', pageOf(request.query));
      return { sessions: answer.sessions.map(sessionView), next: answer.nextPageToken || null };
    },
  );
}

interface PageQuery {
  readonly limit?: string;
  readonly after?: string;
}

const pageOf = ({ limit, after }: PageQuery) => ({
  pageSize: limit === undefined ? DEFAULT_LIMIT : Number(limit),
  pageToken: after ?? '',
});
