/**
 * Lives: what a victim is told of its allocations by WatchAllocations, checked as it comes. Each begins once,
 * is granted only while it lives, is given up once, and ends; none is another user's.
 */
import type { ControlClient } from '@vkmemd/client';

/** What may come after what. */
const NEXT: Readonly<Record<string, readonly string[]>> = {
  '': ['CREATED'],
  CREATED: ['GRANTED', 'DRAINING'],
  GRANTED: ['GRANTED', 'DRAINING'],
  DRAINING: ['FREED'],
};

export class Lives {
  readonly #uid: number;
  readonly #wrong: (what: string) => void;
  readonly #last = new Map<string, string>();

  /** @param wrong is told what must not be, in words. */
  constructor(uid: number, wrong: (what: string) => void) {
    this.#uid = uid;
    this.#wrong = wrong;
  }

  /** Watches until an allocation has ended, all the others' whole lives. */
  async watch(control: ControlClient, lastId: string): Promise<void> {
    for await (const { event, allocation } of control.watchAllocations({ existing: true })) {
      this.#note(String(event).replace('ALLOCATION_EVENT_', ''), allocation.id, allocation.ownerUid);
      if (!this.#last.has(lastId)) break;
    }
    for (const [id, event] of this.#last) this.#wrong(`${id} was ${event}, and never FREED`);
  }

  #note(event: string, id: string, ownerUid: number): void {
    const before = this.#last.get(id) ?? '';
    if (ownerUid !== this.#uid) this.#wrong(`it is told of user ${ownerUid}'s memory`);
    if (!NEXT[before]?.includes(event)) this.#wrong(`${id} was ${event} after ${before || 'nothing'}`);
    if (event === 'FREED') this.#last.delete(id);
    else this.#last.set(id, event);
  }
}
