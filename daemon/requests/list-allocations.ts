/**
 * ListAllocations: returns the allocations that the caller may see, oldest first, all or in pages.
 *
 * They are read, described and encoded in slices, because thousands at once would block the event loop. Each
 * slice begins after the last allocation of the one before, so nothing is copied or sorted, and an allocation
 * that exists all the time is listed exactly once. Allocations that end meanwhile are left out. The list ends
 * with the one that was the last at its beginning.
 */
import { setImmediate } from 'node:timers/promises';
import { type Decoded, encode } from '@vkmemd/proto';
import type { FairScheduler } from '../limits/fair-scheduler.js';
import { byAge, type Position, type Registry } from '../memory/allocation/registry.js';
import type { Authority } from '../memory/authority.js';
import { type Caller, partyOf, requirePresent } from '../memory/session/caller.js';
import { type Handler, reply } from './handler.js';
import { parsePageSize, parsePageToken } from './parse-page.js';

/** The parts of the daemon that a list is read from. */
interface Listed {
  readonly registry: Pick<Registry, 'after' | 'last'>;
  readonly authority: Pick<Authority, 'may'>;
}

interface Collaborators extends Listed {
  readonly lists: FairScheduler;
}

/** Allocations that are read in one turn of the event loop: about a millisecond, if all are described. */
const SLICE = 64;

/** The position of the last allocation of the page before. */
const TOKEN = /^(\d{1,16})\.(\d{1,16})$/;
const tokenOf = ({ createdAt, serial }: Position): string => `${createdAt}.${serial}`;

/** @throws VkmemError INVALID_ARGUMENT; UNAVAILABLE if the caller is gone, or has too many lists waiting. */
export function listAllocations(collaborators: Collaborators): Handler<'ListAllocations'> {
  return (caller, { pageSize, pageToken }) => {
    const page = {
      size: parsePageSize(pageSize) ?? Number.POSITIVE_INFINITY,
      after: parsePosition(pageToken),
    };
    return collaborators.lists.run(partyOf(caller), async () => {
      const parts: Buffer[] = [];
      // Concatenated messages with parts of a repeated field decode as the whole list.
      for await (const part of visibleParts(collaborators, caller, page)) {
        parts.push(encode('ListAllocationsResponse', part));
      }
      return reply(Buffer.concat(parts));
    });
  };
}

function parsePosition(token: string): Position | undefined {
  const [createdAt, serial] = parsePageToken(token, TOKEN) ?? [];
  return createdAt === undefined ? undefined : { createdAt: Number(createdAt), serial: Number(serial) };
}

/** Where a page begins, and its maximum number of allocations. */
export interface Page {
  readonly size: number;
  readonly after: Position | undefined;
}

/** Yields the page in parts. @throws VkmemError UNAVAILABLE if the caller is gone. */
export async function* visibleParts(
  { registry, authority }: Listed,
  caller: Caller,
  { size, after }: Page,
): AsyncGenerator<Decoded<'ListAllocationsResponse'>> {
  const end = registry.last;
  let left = size;
  let lastListed: Position | undefined;
  for (let at = after; end && !(at && byAge(at, end) >= 0); ) {
    requirePresent(caller);
    const slice = registry.after(at, SLICE);
    const seen = slice.filter(
      (one) =>
        byAge(one, end) <= 0 &&
        one.charge.state !== 'settled' &&
        authority.may(caller.identity, 'see', one.terms),
    );
    const listed = seen.slice(0, left);
    left -= listed.length;
    lastListed = listed.at(-1) ?? lastListed;
    const more = seen.length > listed.length;
    yield {
      allocations: listed.map((allocation) => allocation.describe()),
      nextPageToken: more && lastListed ? tokenOf(lastListed) : '',
    };
    if (more) return;
    at = slice.at(-1) ?? end;
    await setImmediate();
  }
}
