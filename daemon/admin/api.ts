/**
 * /api/v1: devices, budget, allocations and sessions, as JSON to read. The answers are the use cases' own, in
 * the words of schemas.ts. No secret is in any of them: of a session everything but its token.
 *
 * Allocations and sessions come in pages, oldest first: `limit` of them, after the one that `after` names,
 * which is what the page before said as `next`. It names a place in the order, not a thing, so it stays good
 * when that is gone: a reader that follows it sees each thing that exists all the time exactly once.
 */

import type { BudgetReports } from '../memory/accounting/report.js';
import type { Allocation } from '../memory/allocation/allocation.js';
import type { Registry } from '../memory/allocation/registry.js';
import type { Grants } from '../memory/grant/grants.js';
import type { Sessions } from '../memory/session/session.js';
import type { Device } from '../vulkan/device.js';
import type { App } from './app.js';
import * as schemas from './schemas.js';
import { allocationView, budgetView, devicesView, sessionView } from './views.js';

const DEFAULT_LIMIT = 100;

const ALLOCATION_QUERY = schemas.pageQuery('^[0-9]{1,16}\\.[0-9a-f-]{36}$');
const SESSION_QUERY = schemas.pageQuery('^[0-9]{1,19}$');

/** What the pages are read from. */
export interface ApiSources {
  readonly version: string;
  readonly device: Device;
  readonly reports: BudgetReports;
  readonly registry: Registry;
  readonly grants: Grants;
  readonly sessions: Sessions;
}

export function addApi(app: App, sources: ApiSources): void {
  app.get(
    '/api/v1/devices',
    { schema: { querystring: schemas.NO_QUERY, response: { 200: schemas.DEVICES } } },
    async () => devicesView(sources),
  );
  app.get(
    '/api/v1/budget',
    { schema: { querystring: schemas.NO_QUERY, response: { 200: schemas.BUDGET } } },
    async () => budgetView(sources.reports),
  );
  app.get(
    '/api/v1/allocations',
    { schema: { querystring: ALLOCATION_QUERY, response: { 200: schemas.ALLOCATIONS } } },
    async ({ query }) => {
      const { all } = sources.registry;
      const [found, next] = cut(inOrder(all, placeOf, query.after), query.limit, placeOf);
      return { allocations: found.map(allocationView), next };
    },
  );
  app.get(
    '/api/v1/sessions',
    { schema: { querystring: SESSION_QUERY, response: { 200: schemas.SESSIONS } } },
    async ({ query }) => {
      const after = BigInt(query.after ?? 0);
      const rest = [...sources.sessions.all].filter(({ id }) => id > after);
      const [found, next] = cut(rest, query.limit, ({ id }) => String(id));
      return { sessions: found.map((session) => sessionView(session, sources)), next };
    },
  );
}

/** The first of them, and where the next page begins. */
function cut<T>(
  rest: readonly T[],
  limit: string | undefined,
  place: (thing: T) => string,
): [found: readonly T[], next: string | null] {
  const found = rest.slice(0, limit === undefined ? DEFAULT_LIMIT : Number(limit));
  const last = found.at(-1);
  return [found, last === undefined || found.length === rest.length ? null : place(last)];
}

/** By when it was made, and of one millisecond by its id. */
const placeOf = ({ createdAt, id }: Allocation): string => `${createdAt}.${id}`;

/**
 * Those that come after a place. The list is in the order of time already, but for those of one millisecond.
 */
function inOrder(
  all: readonly Allocation[],
  place: (allocation: Allocation) => string,
  after: string | undefined,
): readonly Allocation[] {
  const time = Number(after?.split('.')[0] ?? -1);
  const later = all.filter(
    (one) => one.createdAt > time || (one.createdAt === time && place(one) > (after ?? '')),
  );
  return later.sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
}
