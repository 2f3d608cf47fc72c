/**
 * Checks the events that a victim receives from WatchAllocations. Each allocation is created once, is granted
 * only while it lives, is freed once, and ends; none belongs to another user.
 */
import { type Allocation, type ControlClient, VkmemError } from '@vkmemd/client';

/** The permitted successors of an event. */
const NEXT: Readonly<Record<string, readonly string[]>> = {
  '': ['CREATED'],
  CREATED: ['GRANTED', 'DRAINING'],
  GRANTED: ['GRANTED', 'DRAINING'],
  DRAINING: ['FREED'],
};

const LOOK_MS = 500;

export class Lives {
  readonly #uid: number;
  readonly #wrong: (what: string) => void;
  readonly #last = new Map<string, string>();
  /** Allocations that a watch began with, and that drained already. */
  readonly #began = new Set<string>();
  /** Whether a watch was lost. */
  #again = false;

  /** @param wrong is called with a description of each violation. */
  constructor(uid: number, wrong: (what: string) => void) {
    this.#uid = uid;
    this.#wrong = wrong;
  }

  /**
   * Watches until an allocation has ended, and checks the whole life of all others. A watch that the loss of
   * the front has ended is begun again; what happened in between is not known then.
   * @param lost is called at each loss, with the text of the failure.
   */
  async watch(control: ControlClient, lastId: string, lost: (why: string) => void): Promise<void> {
    for (;;) {
      try {
        await this.#watchOnce(control, lastId);
        break;
      } catch (failure) {
        if (!(failure instanceof VkmemError) || failure.code !== 'UNAVAILABLE') throw failure;
        lost(failure.message);
        this.#again = true;
        this.#last.clear();
      }
    }
    for (const [id, event] of this.#last) this.#wrong(`${id} was ${event}, and never FREED`);
  }

  async #watchOnce(control: ControlClient, lastId: string): Promise<void> {
    const over = new AbortController();
    // It may have ended before the watch began again.
    const timer = this.#again
      ? setInterval(() => void this.#endIfGone(control, lastId, over), LOOK_MS)
      : undefined;
    try {
      const { signal } = over;
      for await (const { event, allocation } of control.watchAllocations({ existing: true, signal })) {
        this.#note(String(event).replace('ALLOCATION_EVENT_', ''), allocation);
        if (allocation.id === lastId && !this.#last.has(lastId)) return;
      }
    } finally {
      clearInterval(timer);
    }
  }

  async #endIfGone(control: ControlClient, id: string, over: AbortController): Promise<void> {
    if (this.#last.has(id)) return;
    const gone = await control.get({ id }).then(
      () => false,
      (failure: unknown) => failure instanceof VkmemError && failure.code === 'NOT_FOUND',
    );
    if (gone && !this.#last.has(id)) over.abort();
  }

  #note(event: string, { id, ownerUid, state }: Allocation): void {
    const before = this.#last.get(id) ?? '';
    if (ownerUid !== this.#uid) this.#wrong(`it receives events of user ${ownerUid}'s memory`);
    // A watch begins with what exists, which may be draining.
    const drained = (this.#again || this.#began.has(id)) && before === 'CREATED' && event === 'FREED';
    if (!NEXT[before]?.includes(event) && !drained)
      this.#wrong(`${id} was ${event} after ${before || 'nothing'}`);
    if (event === 'CREATED' && state === 'ALLOCATION_STATE_DRAINING') this.#began.add(id);
    if (event === 'FREED') {
      this.#last.delete(id);
      this.#began.delete(id);
    } else this.#last.set(id, event);
  }
}
