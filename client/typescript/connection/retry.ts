/**
 * What becomes of a request whose connection was lost: which may be asked again, and what its answer then means.
 *
 * In a restored session: an Allocate, which has its id; a Free, of which NOT_FOUND means done; what was never sent. Of a
 * Release nothing is left to do where the greeting no longer told of the grant. Another session is asked what was never
 * sent and belongs to none.
 */
import { type Draft, type OwnedFd, VkmemError } from '@vkmemd/proto';
import type { Waited } from './backlog.js';
import { type Answer, type Pending, type Request, refuse, unanswered } from './request.js';

/** Asking these twice comes to the same as asking them once: an Allocate has its id, and what is gone stays gone. */
const REPEATABLE: readonly Request[] = ['allocate', 'free', 'release'];

/** Whether a restored session may ask it: it was never sent, or it can be repeated. */
export const isRetryable = (pending: Pending): boolean =>
  pending.asked === 0 || REPEATABLE.includes(pending.request);

/**
 * Whether a restored session has nothing left to ask: the daemon took back each grant that the greeting did not tell of.
 * @param told undefined where it took none back.
 */
function takenBack(pending: Pending, told: ReadonlySet<bigint> | undefined): boolean {
  const id = pending.fields.release?.grantId;
  return told !== undefined && pending.request === 'release' && !told.has(BigInt(id ?? 0));
}

/** Whether a session that is not the one that was to ask it may ask it: it was never sent, and is bound to none. */
const anyonesToAsk = ({ asked, epoch }: Pending): boolean => asked === 0 && epoch === undefined;

/** Ends a request that the session before this one made, and that means nothing to this one. */
function disown(pending: Pending): void {
  const gone = new VkmemError('UNAVAILABLE', 'The daemon no longer has the session that asked.');
  refuse(pending, pending.epoch ? stale() : unanswered(pending, gone));
}

/**
 * What of a backlog is to be asked of the session that there is now; all else is settled.
 * @param told as takenBack().
 */
export function toAsk(
  { left, waiting }: Waited,
  restored: boolean,
  told: ReadonlySet<bigint> | undefined,
): Pending[] {
  const again = restored ? left : left.filter(anyonesToAsk);
  for (const pending of left) if (!again.includes(pending)) disown(pending);
  return [...again, ...waiting].filter((pending) => {
    const done = restored && takenBack(pending, told);
    if (done) pending.resolve({ message: {}, fds: [] } as never);
    return !done;
  });
}

/** What belongs to an earlier session was asked for. */
export const stale = (): VkmemError =>
  new VkmemError('STALE_INCARNATION', 'It belongs to a session that the daemon no longer has.');

/**
 * A request without an answer.
 * @param epoch the session that it belongs to, where it means nothing in another one.
 */
export function pendingOf<R extends Request>(
  request: R,
  fields: NonNullable<Draft<'ClientMessage'>[R]>,
  fds: readonly OwnedFd[],
  epoch: object | undefined,
  settle: { resolve(answer: Answer<R>): void; reject(reason: unknown): void },
): Pending {
  const pending: Pending = {
    request,
    fields: { [request]: fields },
    fds,
    epoch,
    asked: 0,
    resolve: settle.resolve as Pending['resolve'],
    reject: (failure) => {
      if (!freedBefore(pending, failure)) return settle.reject(failure);
      // Whether somebody else still holds it is not known, and so it is not said to be free.
      settle.resolve({ message: { allocation: null, freed: false }, fds: [] } as unknown as Answer<R>);
    },
  };
  return pending;
}

/** A Free that was sent before and finds nothing now has been done by then. */
const freedBefore = ({ request, asked }: Pending, failure: unknown): boolean =>
  request === 'free' && asked > 1 && failure instanceof VkmemError && failure.code === 'NOT_FOUND';
