/**
 * Many: requests that the daemon serves together, in as few messages as possible, and their outcomes.
 */
import { closeAll, type Decoded, errorOf, type KindName, type OwnedFd, VkmemError } from '@vkmemd/proto';
import type { Ref } from './arguments.js';
import type { AllocateOptions, ClaimOptions } from './requests.js';
import { rejected } from './sent.js';
import type { TicketRef } from './tickets.js';

/** One of Client.allocateMany(): the options of Client.allocate(), but for `ifExists`. */
export type ManyAllocateOptions = Omit<AllocateOptions, 'ifExists'> & {
  readonly grant?: readonly KindName[];
};

/** One of Client.claimMany(): what to claim, and the options of Client.claim(), but for `waitMs`. */
export type ManyClaimOptions = (Ref | TicketRef) & Omit<ClaimOptions, 'waitMs'>;

/** Options of Client.allocateMany(). */
export interface AllocateManyOptions {
  /**
   * Default true: if one of the allocations fails, none is made. With false the result has an outcome for each, as that
   * of Promise.allSettled().
   */
  readonly allOrNothing?: boolean;
}

/** @throws VkmemError INVALID_ARGUMENT for a list that is not an array. */
export function checkList<T>(field: string, list: readonly T[]): readonly T[] {
  if (Array.isArray(list)) return list;
  throw new VkmemError('INVALID_ARGUMENT', `${field}: an array is required.`, { field });
}

/** One outcome of many, with its own fds. */
export type Settled =
  | { readonly message: Decoded<'AllocateResponse'>; readonly fds: OwnedFd[] }
  | { readonly error: VkmemError };

interface Outcome {
  readonly made?: Decoded<'AllocateResponse'> | null;
  readonly granted?: Decoded<'ClaimResponse'> | null;
  readonly error?: Decoded<'AllocateOutcome'>['error'];
}

/**
 * The outcomes of an answer, in the order of the requests.
 * @param fds Of all outcomes, in their order; those of each are passed on with it.
 * @throws VkmemError PROTOCOL_ERROR if there are not `count`; the fds are closed then.
 */
export function settledOf(outcomes: readonly Outcome[], fds: readonly OwnedFd[], count: number): Settled[] {
  if (outcomes.length !== count) {
    closeAll(fds);
    throw new VkmemError(
      'PROTOCOL_ERROR',
      `The answer has ${outcomes.length} outcomes of ${count} requests.`,
    );
  }
  let first = 0;
  return outcomes.map(({ made, granted, error }) => {
    const message = made ?? granted;
    if (!message)
      return { error: error ? errorOf(error) : new VkmemError('PROTOCOL_ERROR', 'The outcome is empty.') };
    const end = first + message.grants.reduce((sum, { fdCount }) => sum + fdCount, 0);
    const own = fds.slice(first, end);
    first = end;
    return { message, fds: own };
  });
}

/** @throws VkmemError INVALID_ARGUMENT for `ifExists`, which requires two requests. */
export function withoutIfExists(options: ManyAllocateOptions): ManyAllocateOptions {
  return without(options, 'ifExists', 'allocateMany() creates; use allocate() to use what exists');
}

/** @throws VkmemError INVALID_ARGUMENT for `waitMs`: one that waits would delay the others. */
export function withoutWait(options: ManyClaimOptions): ManyClaimOptions {
  return without(options, 'waitMs', 'claimMany() does not wait; use claim() to wait for a lock');
}

function without<T extends object>(options: T, field: string, why: string): T {
  if ((options as Record<string, unknown>)[field] === undefined) return options;
  throw new VkmemError('INVALID_ARGUMENT', `${field}: ${why}.`, { field });
}

/** The failure of what is all or nothing, where one of it has failed; the daemon should not have answered that. */
export function partOf(settled: readonly PromiseSettledResult<unknown>[]): PromiseRejectedResult | undefined {
  const failed = settled.find((one) => one.status === 'rejected');
  return (
    failed &&
    rejected(
      new VkmemError(
        'PROTOCOL_ERROR',
        'The daemon made a part of what is all or nothing.',
        {},
        failed.reason,
      ),
    )
  );
}
