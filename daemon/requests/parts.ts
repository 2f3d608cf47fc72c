/**
 * Parts: the answer to many requests at once, as several messages with fds.
 *
 * The outcomes are made in batches. A batch has as many fds as there is credit for (Caller.takePart) and as the budget
 * of fds has room for while they are in hand. So at least one request's outcome is made at a time, with MAX_MANY
 * requests of other clients in between, and an outcome is made only when it can be sent. A batch is sent in one message,
 * or in several if it is larger than one may be.
 */
import {
  asVkmemError,
  closeAll,
  type Draft,
  fitting,
  MAX_MANY,
  MAX_MESSAGE_FDS,
  type MessageName,
  type OwnedFd,
  type PartsRequest,
  type ResponseDraft,
  statusOf,
  VkmemError,
} from '@vkmemd/proto';
import { concurrently } from '../limits/concurrently.js';
import type { FdBudget } from '../limits/fd-budget.js';
import type { Sharer } from '../limits/shares.js';
import type { Reporter } from '../memory/reporter.js';
import type { Caller, Credit } from '../memory/session/caller.js';
import type { Answer } from './handler.js';

/** The maximum number of fds of grants of these kinds. */
export const fdsOfKinds = (kinds: readonly unknown[]): number =>
  new Set(kinds.filter((kind) => kind !== 'KIND_RDMA_ADDRESS')).size;

/** Outcomes, or allocations, that are made at the same time; what takes long among them takes turns besides. */
export const AT_ONCE = 4;

/** The outcome of one request, and its fds, which the receiver owns. */
export interface Outcome<O extends MessageName> {
  readonly outcome: Draft<O>;
  readonly fds: readonly OwnedFd[];
}

/** What the parts are made of. */
export interface Many<O extends MessageName> {
  /** How many requests there are. */
  readonly count: number;
  /** The maximum number of fds of an outcome. */
  fdsOf(index: number): number;
  /** Makes an outcome. A failure ends the answer. */
  make(index: number): Promise<Outcome<O>>;
  /** Drops the grants of an outcome that is not sent; its fds are closed already. */
  drop(outcome: Draft<O>): void;
}

/** @throws VkmemError INVALID_ARGUMENT if a message has no requests, or too many. */
export function requireMany(requests: readonly unknown[]): void {
  const { length } = requests;
  if (length >= 1 && length <= MAX_MANY) return;
  const reason = `requests has ${length} elements; it must have 1 to ${MAX_MANY}.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'requests' });
}

/** The error of an outcome; a defect of the daemon is reported too. */
export function errorOf(
  { reporter }: { readonly reporter: Reporter },
  what: string,
  failure: unknown,
): Draft<'Status'> {
  const error = asVkmemError(failure);
  if (error.code === 'INTERNAL') reporter.fault(`a request of ${what} failed`, failure);
  return statusOf(error);
}

/** The failure of one of many requests, with its number. */
export function failureOf(failure: VkmemError, index: number): VkmemError {
  const { code, reason, metadata, next } = failure;
  return new VkmemError(
    code,
    `Request ${index}: ${reason}`,
    { ...metadata, index: String(index) },
    failure,
    next,
  );
}

/**
 * Yields the messages of the answer. It is to be resumed once a message is sent.
 * @throws the first failure of `make`; VkmemError UNAVAILABLE if the caller is gone.
 */
export async function* inParts<N extends PartsRequest, O extends MessageName>(
  caller: Caller,
  fds: FdBudget,
  many: Many<O>,
): AsyncGenerator<Answer<N>, void> {
  const { count } = many;
  let part = 0;
  for (let first = 0; first < count; ) {
    using batch = await nextBatch(caller, fds, many, first);
    const end = batch.end;
    const outcomes = await makeAll(many, first, end);
    try {
      while (outcomes.length > 0) {
        const sent = outcomes.splice(0, fitting(outcomes.map(({ outcome }) => outcome as object)));
        const last = end === count && outcomes.length === 0;
        const response = { part, last, outcomes: sent.map(({ outcome }) => outcome) };
        part += 1;
        yield { response: response as unknown as ResponseDraft<N>, fds: sent.flatMap((each) => each.fds) };
      }
    } finally {
      for (const rest of outcomes) discard(many, rest);
    }
    first = end;
  }
}

/** The requests up to `end`, and the room for their fds. */
interface Batch extends Disposable {
  readonly end: number;
}

async function nextBatch(
  caller: Caller,
  budget: FdBudget,
  { count, fdsOf }: Pick<Many<MessageName>, 'count' | 'fdsOf'>,
  first: number,
): Promise<Batch> {
  /** Where a batch ends that has at most this many fds, but at least one request. */
  const endOf = (most: number): number => {
    let end = first + 1;
    for (let sum = fdsOf(first); end < count; end += 1) {
      sum += fdsOf(end);
      if (sum > most) break;
    }
    return end;
  };
  const fdsUpTo = (end: number): number => {
    let sum = 0;
    for (let index = first; index < end; index += 1) sum += fdsOf(index);
    return sum;
  };
  const wanted = fdsUpTo(endOf(MAX_MANY));
  if (wanted === 0) return { end: endOf(0), [Symbol.dispose]: () => {} };
  const credit: Credit | undefined = await caller.takePart?.(wanted);
  try {
    const { most, lease } = leaseUpTo(budget, caller.identity.tenant, credit?.fds ?? MAX_MESSAGE_FDS);
    const release = (): void => {
      lease?.[Symbol.dispose]();
      credit?.[Symbol.dispose]();
    };
    return { end: endOf(most), [Symbol.dispose]: release };
  } catch (failure) {
    credit?.[Symbol.dispose]();
    throw failure;
  }
}

/** Leases the fds in hand: all, or fewer if the budget is short. Those of one request need no lease (fd-budget.ts). */
function leaseUpTo(
  budget: FdBudget,
  tenant: Sharer,
  most: number,
): { readonly most: number; readonly lease: Disposable | undefined } {
  for (let fds = most; fds > MAX_MESSAGE_FDS; fds = Math.floor(fds / 2)) {
    try {
      return { most: fds, lease: budget.lease(tenant, fds) };
    } catch (refusal) {
      if (!(refusal instanceof VkmemError) || refusal.code !== 'TOO_MANY_FILES') throw refusal;
    }
  }
  return { most: Math.min(most, MAX_MESSAGE_FDS), lease: undefined };
}

/** Makes the outcomes from `first` to `end` - 1. @throws as make(); no fd is open then. */
async function makeAll<O extends MessageName>(
  many: Many<O>,
  first: number,
  end: number,
): Promise<Outcome<O>[]> {
  const made: Outcome<O>[] = [];
  try {
    return await concurrently(end - first, AT_ONCE, async (index) => {
      const outcome = await many.make(first + index);
      made.push(outcome);
      return outcome;
    });
  } catch (failure) {
    for (const outcome of made) discard(many, outcome);
    throw failure;
  }
}

function discard<O extends MessageName>(many: Many<O>, { outcome, fds }: Outcome<O>): void {
  closeAll(fds);
  many.drop(outcome);
}
