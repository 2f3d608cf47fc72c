/**
 * GetStatus: returns whether the daemon is ready, and what it holds. It queries no driver, so it is answered
 * while a driver hangs. A warning may quote the policy, which names users: only operators read its text.
 */
import { CATALOGUE, timestamp } from '@vkmemd/proto';
import type { BudgetReports } from '../memory/accounting/report.js';
import type { Authority } from '../memory/authority.js';
import type { AnyCaller } from '../memory/session/caller.js';
import type { Sessions } from '../memory/session/session.js';
import type { Problem, Status } from '../status.js';
import { type OpenHandler, reply } from './handler.js';

interface Collaborators {
  readonly authority: Pick<Authority, 'isOperator'>;
  readonly status: Pick<Status, 'report' | 'startedAt'>;
  readonly reports: Pick<BudgetReports, 'counts'>;
  readonly sessions: Pick<Sessions, 'incarnation'>;
  readonly version: string;
}

export function getStatus(collaborators: Collaborators): OpenHandler<'GetStatus'> {
  const { authority, status, reports, sessions, version } = collaborators;
  const readsPolicy = ({ identity }: AnyCaller) => identity !== undefined && authority.isOperator(identity);
  return (caller) => {
    const { ready, reasons, warnings, front } = status.report();
    return reply({
      ready,
      reasons: reasons.map(describeProblem),
      warnings: (readsPolicy(caller) ? warnings : warnings.map(withoutText)).map(describeProblem),
      front: { present: front.present, since: timestamp(front.since), restarts: front.restarts },
      counts: reports.counts,
      daemonVersion: version,
      incarnation: sessions.incarnation,
      startedAt: timestamp(status.startedAt),
    });
  };
}

const withoutText = ({ code, since }: Problem): Problem => {
  const { sentence, next } = CATALOGUE[code];
  return { code, message: sentence, next, since };
};

const describeProblem = ({ code, message, next, since }: Problem) => ({
  code,
  message,
  next,
  since: since === undefined ? null : timestamp(since),
});
