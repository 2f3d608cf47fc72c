/**
 * vkmemctl free: gives allocations up for everybody.
 *
 * Each is freed by itself: where one cannot be, the others still are.
 */
import { type Allocation, VkmemError } from '@vkmemd/proto';
import type { Command } from 'commander';
import type { ControlClient } from '../control.js';
import { allocationObject, SHORT_ID_LENGTH, UUID } from './allocation.js';
import { actionOf, errorObject, expected, newCommand } from './command.js';
import { humanBytes } from './format.js';

const DESCRIPTION = `Give allocations up for everybody.

Nobody can claim them any more. One that somebody still holds drains until the last holder lets go; only then are its
bytes free. Each is named by its name ('frames', or '1000/frames' of user 1000), its id, or the part of the id that
'ls' shows.`;

const SHORT_ID = new RegExp(`^[0-9a-f]{${SHORT_ID_LENGTH}}$`);

/** What freeing one of them came to. */
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

/** What can be freed: what drains was. */
const FREEABLE: readonly unknown[] = ['ALLOCATION_STATE_LIVE', 'ALLOCATION_STATE_DEGRADED'];

/** The one allocation that can be freed and whose id begins so; undefined where there is none. */
async function wholeId(control: ControlClient, start: string): Promise<string | undefined> {
  const live = (await control.list()).filter(({ state }) => FREEABLE.includes(state));
  const [found, another] = live.filter(({ id }) => id.startsWith(start));
  if (another)
    throw new VkmemError('INVALID_ARGUMENT', `More than one id begins with ${start}; name it whole.`);
  return found?.id;
}

function line({ ref, allocation, freed }: Freed): string {
  const size = humanBytes(allocation?.sizeBytes ?? 0n);
  return freed
    ? `Freed ${ref}: ${size}.`
    : `Freed ${ref}: ${size} are draining, since somebody still holds them.`;
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
