/**
 * ListAllocations: returns the allocations that the caller may see, oldest first.
 *
 * They are described and encoded in slices, because thousands at once would block the event loop. Allocations
 * that end meanwhile are left out.
 */
import { setImmediate } from 'node:timers/promises';
import { type Decoded, encode } from '@vkmemd/proto';
import type { FairScheduler } from '../limits/fair-scheduler.js';
import type { Registry } from '../memory/allocation/registry.js';
import { type Caller, partyOf, requirePresent } from '../memory/session/caller.js';
import { type Handler, reply } from './handler.js';

interface Collaborators {
  readonly registry: Pick<Registry, 'visibleTo'>;
  readonly lists: FairScheduler;
}

/** Allocations that are described in one turn of the event loop: about a millisecond. */
const SLICE = 64;

/** @throws VkmemError UNAVAILABLE if the caller is gone, or has too many lists waiting. */
export function listAllocations({ registry, lists }: Collaborators): Handler<'ListAllocations'> {
  return (caller) =>
    lists.run(partyOf(caller), async () => {
      const parts: Buffer[] = [];
      // Concatenated messages with parts of a repeated field decode as the whole list.
      for await (const part of visibleParts(registry, caller)) {
        parts.push(encode('ListAllocationsResponse', part));
      }
      return reply(Buffer.concat(parts));
    });
}

/** Yields the list in parts. @throws VkmemError UNAVAILABLE if the caller is gone. */
export async function* visibleParts(
  registry: Pick<Registry, 'visibleTo'>,
  caller: Caller,
): AsyncGenerator<Decoded<'ListAllocationsResponse'>> {
  const visible = registry.visibleTo(caller.identity);
  for (let at = 0; at < visible.length; at += SLICE) {
    requirePresent(caller);
    const slice = visible.slice(at, at + SLICE).filter(({ charge }) => charge.state !== 'settled');
    yield { allocations: slice.map((allocation) => allocation.describe()) };
    await setImmediate();
  }
}
