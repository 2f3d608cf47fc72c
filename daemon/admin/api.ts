/**
 * /api/v1: devices, budget, allocations and sessions as JSON, read only. The answers are those of the
 * requests, in the format of schemas.ts. They contain no secret: a session is shown without its token.
 *
 * Allocations and sessions are returned in pages, oldest first: at most `limit` of them, after the position
 * `after`, which is the `next` of the previous page. It names a position in the order, not an object, so it
 * stays valid when that object is gone: a client that follows it gets each object that exists all the time
 * exactly once.
 */

import type { MappingBudget } from '../limits/mapping-budget.js';
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

const ALLOCATION_QUERY = schemas.pageQuery('^[0-9]{1,16}\\.[0-9]{1,16}$');
const SESSION_QUERY = schemas.pageQuery('^[0-9]{1,19}$');

/** The sources of the answers. */
export interface ApiSources {
  readonly version: string;
  readonly device: Device;
  readonly mappings: MappingBudget;
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
      const [createdAt, serial] = query.after?.split('.').map(Number) ?? [0, 0];
      const rest = sources.registry.after({ createdAt: createdAt ?? 0, serial: serial ?? 0 }, 501);
      const [found, next] = cut(rest, query.limit, placeOf);
      return { allocations: found.map(allocationView), next };
    },
  );
  app.get(
    '/api/v1/sessions',
    { schema: { querystring: SESSION_QUERY, response: { 200: schemas.SESSIONS } } },
    async ({ query }) => {
      const after = BigInt(query.after ?? 0);
      // Dormant sessions follow the connected ones in the list.
      const rest = [...sources.sessions.all]
        .filter(({ id }) => id > after)
        .sort(({ id: a }, { id: b }) => (a < b ? -1 : 1));
      const [found, next] = cut(rest, query.limit, ({ id }) => String(id));
      return { sessions: found.map((session) => sessionView(session, sources)), next };
    },
  );
}

/** The entries of a page, and the position of the next page. */
function cut<T>(
  rest: readonly T[],
  limit: string | undefined,
  place: (thing: T) => string,
): [found: readonly T[], next: string | null] {
  const found = rest.slice(0, limit === undefined ? DEFAULT_LIMIT : Number(limit));
  const last = found.at(-1);
  return [found, last === undefined || found.length === rest.length ? null : place(last)];
}

/** The position of an allocation: its creation time, and its number among those of one millisecond. */
const placeOf = ({ createdAt, serial }: Allocation): string => `${createdAt}.${serial}`;
