/**
 * Checks the events that a victim receives from WatchAllocations. Each allocation is created once, is granted
 * only while it lives, is freed once, and ends; none belongs to another user.
 */
import type { ControlClient } from '@vkmemd/client';

/** The permitted successors of an event. */
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

  /** @param wrong is called with a description of each violation. */
  constructor(uid: number, wrong: (what: string) => void) {
    this.#uid = uid;
    this.#wrong = wrong;
  }

  /** Watches until an allocation has ended, and checks the whole life of all others. */
  async watch(control: ControlClient, lastId: string): Promise<void> {
    for await (const { event, allocation } of control.watchAllocations({ existing: true })) {
      this.#note(String(event).replace('ALLOCATION_EVENT_', ''), allocation.id, allocation.ownerUid);
      if (!this.#last.has(lastId)) break;
    }
    for (const [id, event] of this.#last) this.#wrong(`${id} was ${event}, and never FREED`);
  }

  #note(event: string, id: string, ownerUid: number): void {
    const before = this.#last.get(id) ?? '';
    if (ownerUid !== this.#uid) this.#wrong(`it receives events of user ${ownerUid}'s memory`);
    if (!NEXT[before]?.includes(event)) this.#wrong(`${id} was ${event} after ${before || 'nothing'}`);
    if (event === 'FREED') this.#last.delete(id);
    else this.#last.set(id, event);
  }
}
