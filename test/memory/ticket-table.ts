/** A ticket table on a clock that the test controls, with a quota that counts and notes that are recorded. */
import { disposable } from '@vkmemd/proto';
import type { Allocation } from 'vkmemd/dist/memory/allocation/allocation.js';
import { FailedTicketAttempts } from 'vkmemd/dist/memory/ticket/failed-attempts.js';
import { Tickets, type TicketTerms } from 'vkmemd/dist/memory/ticket/tickets.js';
import { makeIdentity } from 'vkmemd/dist/policy/identity.js';

export const user = (uid: number) => makeIdentity({ uid, gid: uid, pid: 1, groups: [] });
export const MAKER = user(1);
export const CLAIMANT = user(2);

/** The parts of an allocation that a ticket needs. */
export const fakeAllocation = (): Allocation => ({ id: 'a', state: 'LIVE' }) as unknown as Allocation;

/** A table whose clock the test sets. */
export function table() {
  const clock = { now: 1_000_000, date: 0 };
  const quota = { taken: 0 };
  const notes: string[] = [];
  const take = () => {
    quota.taken += 1;
    return disposable(() => {
      quota.taken -= 1;
    });
  };
  const note = (what: string) => void notes.push(what);
  const attempts = new FailedTicketAttempts(note, () => clock.now);
  const tickets = new Tickets(take, note, {
    now: () => clock.now,
    date: () => clock.now + clock.date,
    attempts,
  });
  const terms = (changes: Partial<TicketTerms> = {}): TicketTerms => ({
    subject: fakeAllocation(),
    kinds: ['MAPPABLE'],
    access: 'ro',
    uses: 1,
    validMs: 10_000,
    forUid: undefined,
    ...changes,
  });
  return { clock, quota, notes, attempts, tickets, terms };
}
