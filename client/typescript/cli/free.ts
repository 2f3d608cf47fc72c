/**
 * vkmemctl free: frees allocations.
 *
 * Each allocation is freed separately: if one fails, the others are still freed.
 */
import { type Allocation, VkmemError } from '@vkmemd/proto';
import type { Command } from 'commander';
import type { ControlClient } from '../control.js';
import { allocationObject, SHORT_ID_LENGTH, UUID } from './allocation.js';
import { actionOf, errorObject, expected, newCommand } from './command.js';
import { humanBytes } from './format.js';

const DESCRIPTION = `Free allocations. They can no longer be claimed. An allocation that a process still holds
drains until the last holder releases it; only then are its bytes free.

Specify an allocation by its name ('frames', or '1000/frames' for one of user 1000), its id, or the short id
that 'ls' shows.`;

const SHORT_ID = new RegExp(`^[0-9a-f]{${SHORT_ID_LENGTH}}$`);

/** The result of freeing one allocation. */
interface Freed {
  readonly ref: string;
  readonly allocation: Allocation | null;
  readonly freed: boolean;
}

async function freeOne(control: ControlClient, ref: string): Promise<Freed> {
  try {
    return { ref, ...(await control.free(UUID.test(ref) ? { id: ref } : { name: ref })) };
  } catch (failure) {
    const id =
      SHORT_ID.test(ref) && expected(failure).code === 'NOT_FOUND' ? await wholeId(control, ref) : undefined;
    if (id === undefined) throw failure;
    return { ref, ...(await control.free({ id })) };
  }
}

/** The states of allocations that can be freed; a draining one was freed already. */
const FREEABLE: readonly unknown[] = [
  'ALLOCATION_STATE_LIVE',
  'ALLOCATION_STATE_DEGRADED',
  'ALLOCATION_STATE_RESTORING',
];

/**
 * The id of the only allocation that can be freed and whose id begins with `start`; undefined if there is
 * none.
 */
async function wholeId(control: ControlClient, start: string): Promise<string | undefined> {
  const live = (await control.list()).filter(({ state }) => FREEABLE.includes(state));
  const [found, another] = live.filter(({ id }) => id.startsWith(start));
  if (another) {
    const reason = `More than one id begins with ${start}; specify the whole id.`;
    throw new VkmemError('INVALID_ARGUMENT', reason, {}, undefined, 'vkmemctl ls --json prints whole ids.');
  }
  return found?.id;
}

function line({ ref, allocation, freed }: Freed): string {
  const size = humanBytes(allocation?.sizeBytes ?? 0n);
  return freed
    ? `Freed ${ref}: ${size}.`
    : `Freed ${ref}: ${size} are draining, because a process still holds the memory.`;
}

export function freeCommand(): Command {
  return newCommand('free', DESCRIPTION, ['free frames weights', 'free 1b9d6bcd', 'free --json 1000/frames'])
    .summary('free allocations')
    .argument('<name-or-id...>', 'the allocations')
    .action(
      actionOf(async ({ control, print, fail }, refs) => {
        const results: Freed[] = [];
        const failures: VkmemError[] = [];
        for (const ref of refs) {
          try {
            results.push(await freeOne(control, ref));
          } catch (failure) {
            failures.push(expected(failure));
            fail(failure);
          }
        }
        const freed = results.map(({ allocation, ...result }) => ({
          ...result,
          allocation: allocation && allocationObject(allocation),
        }));
        const [first] = failures;
        const object = first ? { freed, error: errorObject(first) } : { freed };
        print(object, () => results.map(line).join('\n'));
      }),
    );
}
