/**
 * Retries: which request without an answer is sent again, and what its second answer means.
 *
 * The table of requests says whether a request can be repeated. A request that was never sent is sent in any
 * session, unless it belongs to one that ended. A request that was sent is repeated only in the same session,
 * restored: an Allocate with its request_id; a Free by id, for which NOT_FOUND means that it was done; a
 * Release, unless the grant was not reported to the daemon, which then took it back; a Publish by id.
 *
 * Not repeated: a Free or Publish by name, which could meet another allocation of that name the second time.
 * A Claim: the daemon takes back what it granted without an answer, and the caller decides whether it still
 * wants the grant.
 */
import {
  type HandoffRequest,
  type OwnedFd,
  REQUESTS,
  type RequestDraft,
  type RequestName,
  VkmemError,
} from '@vkmemd/proto';
import type { Drained } from './backlog.js';
import { type Answer, type Pending, rejectPending, unansweredError } from './request.js';

/** The answer to a Free that was done before: whether another process still holds the memory is not known. */
export const FREED_BEFORE = { allocation: null, freed: false } as const;

/** Whether a request that was sent can be sent again, in the session that sent it. */
export function isRepeatable(request: RequestName, fields: unknown): boolean {
  const { allocation, requestId } = fields as RequestDraft<'Free'> & RequestDraft<'Allocate'>;
  switch (REQUESTS[request].repeat) {
    case 'free':
      return true;
    case 'by request_id':
      return Boolean(requestId);
    case 'by session':
      if (request === 'Free' || request === 'Publish') return Boolean(allocation?.id);
      return request !== 'Claim';
    case 'never':
      return false;
  }
}

/** Whether a restored session may send it: it was never sent, or it can be repeated. */
export const isRetryable = ({ attempts, request, fields }: Pending): boolean =>
  attempts === 0 || isRepeatable(request, fields);

/**
 * Whether a restored session has nothing to send: the daemon took back every grant that Hello did not report.
 * @param reportedGrants undefined where it took none back.
 */
function isTakenBack({ request, fields }: Pending, reportedGrants: ReadonlySet<bigint> | undefined): boolean {
  if (reportedGrants === undefined || request !== 'Release') return false;
  const { grantId } = fields as RequestDraft<'Release'>;
  return !reportedGrants.has(BigInt(grantId ?? 0));
}

/** Whether another session may send it: it was never sent, and belongs to no session. */
const isUnbound = ({ attempts, epoch }: Pending): boolean => attempts === 0 && epoch === undefined;

/** Rejects a request of an earlier session, which means nothing in this one. */
function rejectStale(pending: Pending): void {
  const gone = new VkmemError('UNAVAILABLE', 'The session of the request has ended.');
  rejectPending(pending, pending.epoch ? staleError() : unansweredError(pending, gone));
}

/**
 * The requests of a backlog to be sent in the present session; all others are settled.
 * @param reportedGrants as isTakenBack().
 */
export function requestsToSend(
  { lost, added }: Drained,
  restored: boolean,
  reportedGrants: ReadonlySet<bigint> | undefined,
): Pending[] {
  const retried = restored ? lost : lost.filter(isUnbound);
  for (const pending of lost) if (!retried.includes(pending)) rejectStale(pending);
  return [...retried, ...added].filter((pending) => {
    const done = restored && isTakenBack(pending, reportedGrants);
    if (done) pending.resolve({ message: {}, fds: [] } as never);
    return !done;
  });
}

/** The error of what belongs to an earlier session. */
export const staleError = (): VkmemError =>
  new VkmemError('STALE_INCARNATION', 'It belongs to a session that the daemon no longer has.');

/**
 * A request without an answer.
 * @param epoch the session epoch that it belongs to, where it means nothing in another one.
 */
export function pendingOf<R extends HandoffRequest>(
  request: R,
  fields: RequestDraft<R>,
  fds: readonly OwnedFd[],
  epoch: object | undefined,
  settle: { resolve(answer: Answer<R>): void; reject(reason: unknown): void },
): Pending {
  const pending: Pending = {
    request,
    fields,
    fds,
    epoch,
    attempts: 0,
    resolve: settle.resolve as Pending['resolve'],
    reject: (failure) => {
      if (request !== 'Free' || pending.attempts < 2 || !isNotFound(failure)) return settle.reject(failure);
      settle.resolve({ message: FREED_BEFORE, fds: [] } as unknown as Answer<R>);
    },
  };
  return pending;
}

export const isNotFound = (failure: unknown): boolean =>
  failure instanceof VkmemError && failure.code === 'NOT_FOUND';
