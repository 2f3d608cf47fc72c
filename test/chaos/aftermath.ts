/**
 * The end of a run: all clients end, the attackers by SIGKILL during their actions, and nothing of them may
 * be left: neither in the daemon's counts nor in its fds.
 *
 * One thing may remain: NAMED memory whose owner was killed before it could free it. The harness frees that
 * as an operator would, and counts it.
 */
import type { Allocation } from '@vkmemd/client';
import type { Auditor } from './audit.js';
import type { Chronicle } from './chronicle.js';
import type { Fleet } from './fleet.js';
import { rest } from './rest.js';

import type { VictimEnd } from './victim.js';

/** The time in which the daemon must notice that all clients have ended: Hello alone is waited for 5 s. */
const SETTLE_MS = 20_000;

export interface Ended {
  readonly victims: readonly VictimEnd[];
  /** NAMED memory that was left. */
  readonly left: number;
}

const named = ({ lifetime, state }: Allocation): boolean =>
  lifetime === 'LIFETIME_NAMED' && state === 'ALLOCATION_STATE_LIVE';

/** Ends all clients, and waits until the daemon holds nothing. */
export async function endAll(fleet: Fleet, auditor: Auditor, chronicle: Chronicle): Promise<Ended> {
  await fleet.killAttackers();
  const victims = await fleet.endVictims();
  let left = 0;
  let wrong: string[] = [];
  for (const end = Date.now() + SETTLE_MS; Date.now() < end; await rest(50)) {
    // A request that was in progress when its client was killed may still allocate some.
    for (const { id } of (await auditor.control.list()).filter(named)) {
      await auditor.control.free({ id });
      left += 1;
    }
    const account = await auditor.account();
    wrong = account ? auditor.nothing(account) : ['no two answers of the daemon are the same'];
    if (wrong.length === 0) return { victims, left };
  }
  for (const what of wrong) chronicle.fail(`after the end of all clients: ${what}`);
  return { victims, left };
}
