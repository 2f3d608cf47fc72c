/**
 * GetStatus: returns whether the daemon is ready, and what it holds. It queries no driver, so it is answered
 * while a driver hangs.
 */
import { timestamp } from '@vkmemd/proto';
import type { BudgetReports } from '../memory/accounting/report.js';
import type { Sessions } from '../memory/session/session.js';
import type { Problem, Status } from '../status.js';
import { type OpenHandler, reply } from './handler.js';

interface Collaborators {
  readonly status: Pick<Status, 'report' | 'startedAt'>;
  readonly reports: Pick<BudgetReports, 'counts'>;
  readonly sessions: Pick<Sessions, 'incarnation'>;
  readonly version: string;
}

export function getStatus({ status, reports, sessions, version }: Collaborators): OpenHandler<'GetStatus'> {
  return () => {
    const { ready, reasons, warnings, front } = status.report();
    return reply({
      ready,
      reasons: reasons.map(describeProblem),
      warnings: warnings.map(describeProblem),
      front: { present: front.present, since: timestamp(front.since), restarts: front.restarts },
      counts: reports.counts,
      daemonVersion: version,
      incarnation: sessions.incarnation,
      startedAt: timestamp(status.startedAt),
    });
  };
}

const describeProblem = ({ code, message, next, since }: Problem) => ({
  code,
  message,
  next,
  since: since === undefined ? null : timestamp(since),
});
