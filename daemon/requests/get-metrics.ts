/** GetMetrics: returns the daemon's metrics. */
import type { Draft } from '@vkmemd/proto';
import type { Authority } from '../memory/authority.js';
import type { AnyCaller } from '../memory/session/caller.js';
import { type OpenHandler, reply } from './handler.js';

interface Collaborators {
  readonly authority: Authority;
  readonly metrics: { read(): Promise<readonly Draft<'MetricFamily'>[]> };
}

/** @throws VkmemError NOT_PERMITTED unless the caller is an operator, or has no identity to judge by. */
export function getMetrics({ authority, metrics }: Collaborators): OpenHandler<'GetMetrics'> {
  return async ({ identity }: AnyCaller) => {
    // Who may ask without an identity was decided with the address that the daemon listens on.
    if (identity) authority.requireOperator(identity);
    return reply({ families: await metrics.read() });
  };
}
