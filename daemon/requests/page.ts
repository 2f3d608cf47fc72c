/**
 * Pages of lists (https://google.aip.dev/158).
 *
 * A page is read, described and encoded in slices, because hundreds of items at once would block the event loop. Each
 * slice begins after the last item of the one before, so nothing is copied or sorted, and what exists all the time is
 * listed exactly once. What ends meanwhile is left out. A page ends with what was last at its beginning.
 */
import { setImmediate } from 'node:timers/promises';
import { type Draft, encode, type MessageName, VkmemError } from '@vkmemd/proto';
import type { FairScheduler } from '../limits/fair-scheduler.js';
import { type Caller, partyOf, requirePresent } from '../memory/session/caller.js';

/** The number of entries of a page: without a size, and the maximum. */
export const [DEFAULT_PAGE, MAX_PAGE] = [100, 500];
/** Entries that are read in one turn of the event loop: about a millisecond, if all are described. */
const SLICE = 64;

/** A list that is always sorted. */
export interface Listed<P, T extends P> {
  readonly last: T | undefined;
  /** At most `max` items after a position; the first ones if there is none. */
  after(position: P | undefined, max: number): T[];
}

/** The order of a list, and how a position in it is written as a page token. */
export interface Order<P> {
  compare(one: P, other: P): number;
  tokenOf(position: P): string;
  /** Matches the tokens of the list. */
  readonly token: RegExp;
  /** @param parts the groups of `token`. */
  positionOf(...parts: string[]): P;
}

/** The fields of a request for a page. */
interface PageFields {
  readonly pageSize: number;
  readonly pageToken: string;
}

/** Where a page begins, and its maximum number of items. */
export interface Page<P> {
  readonly size: number;
  readonly after: P | undefined;
}

/** @throws VkmemError INVALID_ARGUMENT for a negative size, or a token that no page of the list has. */
export function parsePage<P>({ pageSize, pageToken }: PageFields, order: Order<P>): Page<P> {
  if (pageSize < 0) {
    const reason = `page_size is ${pageSize}; it must not be negative.`;
    throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'page_size' });
  }
  const size = pageSize === 0 ? DEFAULT_PAGE : Math.min(pageSize, MAX_PAGE);
  if (pageToken === '') return { size, after: undefined };
  const [, ...parts] = order.token.exec(pageToken) ?? [];
  if (parts.length > 0) return { size, after: order.positionOf(...parts) };
  throw new VkmemError(
    'INVALID_ARGUMENT',
    `page_token is ${JSON.stringify(pageToken.slice(0, 100))}, which is not one of this list.`,
    { field: 'page_token' },
    undefined,
    'Send the next_page_token of the previous page, or none for the first page.',
  );
}

/** A part of a page. */
export interface PagePart<T> {
  readonly items: readonly T[];
  /** Set in the last part, if another page follows. */
  readonly nextPageToken: string;
}

/**
 * Yields the page in parts.
 * @param sees whether an item is listed.
 * @throws VkmemError UNAVAILABLE if the caller is gone.
 */
export async function* partsOfPage<P, T extends P>(
  list: Listed<P, T>,
  order: Order<P>,
  caller: Caller,
  { size, after }: Page<P>,
  sees: (item: T) => boolean,
): AsyncGenerator<PagePart<T>> {
  const end = list.last;
  let left = size;
  let lastListed: T | undefined;
  for (let at = after; end && !(at && order.compare(at, end) >= 0); ) {
    requirePresent(caller);
    const slice = list.after(at, SLICE);
    const seen = slice.filter((one) => order.compare(one, end) <= 0 && sees(one));
    const items = seen.slice(0, left);
    left -= items.length;
    lastListed = items.at(-1) ?? lastListed;
    const more = seen.length > items.length;
    yield { items, nextPageToken: more && lastListed ? order.tokenOf(lastListed) : '' };
    if (more) return;
    at = slice.at(-1) ?? end;
    await setImmediate();
  }
}

/**
 * Answers with a page, when it is the caller's turn: concatenated messages with parts of a repeated field decode as
 * one with the whole.
 * @param describe makes the message of a part.
 * @throws VkmemError UNAVAILABLE if the caller is gone, or has too many lists waiting.
 */
export function encodePage<N extends MessageName, T>(
  lists: FairScheduler,
  caller: Caller,
  response: N,
  parts: AsyncIterable<PagePart<T>>,
  describe: (part: PagePart<T>) => Draft<N>,
): Promise<Buffer> {
  return lists.run(partyOf(caller), async () => {
    const encoded: Uint8Array[] = [];
    for await (const part of parts) encoded.push(encode(response, describe(part)));
    return Buffer.concat(encoded);
  });
}
