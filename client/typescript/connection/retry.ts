/**
 * Retries: which requests without an answer are sent again, and what a second answer means.
 *
 * The table of requests defines whether a request can be repeated. A request that was never sent can be sent
 * in any session, unless it is bound to one that has ended. A request that was sent is repeated only in the
 * same session, after it was restored: an Allocate with its request_id; a Free or FreeSemaphore by id, for which NOT_FOUND
 * means that the first one succeeded; a Release, unless Hello did not report the grant, because the daemon
 * has then dropped it; a Publish by id.
 *
 * A Claim is simply made again: Hello does not report the grants of the lost answer, so the daemon has dropped them.
 * A ticket may have one use less then. An OpenSignal is repeated too: TICKET_INVALID means that the first one
 * has used up the secret.
 *
 * Not repeated: a Free or Publish by name, because the name may be that of another allocation by then; and a request
 * that was under way at MAX_LOSSES deaths of the daemon, because it may be what the daemon dies of.
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

/**
 * The answer to a repeated Free whose first one succeeded: it is unknown whether another process still holds
 * the memory.
 */
export const FREED_BEFORE = { allocation: null, freed: false } as const;
/** The answers to repeated requests for which NOT_FOUND means that the first one was done. */
export const DONE_BEFORE: ReadonlyMap<RequestName, object> = new Map<RequestName, object>([
  ['Free', FREED_BEFORE],
  ['FreeSemaphore', { semaphore: null }],
]);

/** Whether a request that was sent can be sent again in the same session. */
export function isRepeatable(request: RequestName, fields: unknown): boolean {
  const { allocation, semaphore, requestId, requests } = fields as RequestDraft<'Free'> &
    RequestDraft<'FreeSemaphore'> &
    RequestDraft<'Allocate'> &
    RequestDraft<'AllocateMany'>;
  switch (REQUESTS[request].repeat) {
    case 'free':
      return true;
    case 'by request_id':
      return requests ? requests.every((each) => Boolean(each.requestId)) : Boolean(requestId);
    case 'by session':
      if (request === 'FreeSemaphore') return Boolean(semaphore?.id);
      return request === 'Free' || request === 'Publish' ? Boolean(allocation?.id) : true;
    case 'never':
      return false;
  }
}

/** A request that was under way at so many deaths of the daemon is not sent again. */
const MAX_LOSSES = 2;

/** Whether the request may be sent in the restored session: it was never sent, or it can be repeated. */
export const isRetryable = ({ attempts, losses, request, fields }: Pending): boolean =>
  attempts === 0 || (losses < MAX_LOSSES && isRepeatable(request, fields));

/**
 * Whether a request is a Release of a grant that the daemon has dropped, because Hello did not report it.
 * @param reportedGrants Undefined if the daemon has dropped none.
 */
function isDropped({ request, fields }: Pending, reportedGrants: ReadonlySet<bigint> | undefined): boolean {
  if (reportedGrants === undefined || request !== 'Release') return false;
  const { grantId } = fields as RequestDraft<'Release'>;
  return !reportedGrants.has(BigInt(grantId ?? 0));
}

/** Whether the request may be sent in another session: it was never sent, and is not bound to an epoch. */
const isUnbound = ({ attempts, epoch }: Pending): boolean => attempts === 0 && epoch === undefined;

/** Rejects a request of an earlier session. */
function rejectStale(pending: Pending): void {
  const gone = new VkmemError('UNAVAILABLE', 'The session of the request has ended.');
  rejectPending(pending, pending.epoch ? staleError() : unansweredError(pending, gone));
}

/**
 * The requests of a backlog that are to be sent in the current session. All others are settled.
 * @param reportedGrants As for isDropped().
 */
export function requestsToSend(
  { lost, added }: Drained,
  restored: boolean,
  reportedGrants: ReadonlySet<bigint> | undefined,
): Pending[] {
  const retried = restored ? lost : lost.filter(isUnbound);
  for (const pending of lost) if (!retried.includes(pending)) rejectStale(pending);
  return [...retried, ...added].filter((pending) => {
    const done = restored && isDropped(pending, reportedGrants);
    if (done) pending.resolve({ message: {}, fds: [] } as never);
    return !done;
  });
}

/** The error of a request that is bound to an earlier session. */
export const staleError = (): VkmemError =>
  new VkmemError('STALE_INCARNATION', 'The memory or request belongs to a session that has ended.');

/**
 * Creates a pending request.
 * @param epoch The epoch that the request is bound to, if it is valid in no other one.
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
    losses: 0,
    resolve: settle.resolve as Pending['resolve'],
    reject: (failure) => {
      const before = DONE_BEFORE.get(request);
      if (!before || pending.attempts < 2 || !isNotFound(failure)) return settle.reject(failure);
      settle.resolve({ message: before, fds: [] } as unknown as Answer<R>);
    },
  };
  return pending;
}

/** Whether a failure is NOT_FOUND. */
export const isNotFound = (failure: unknown): boolean =>
  failure instanceof VkmemError && failure.code === 'NOT_FOUND';
