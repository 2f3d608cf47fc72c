/**
 * vkmemctl semaphore: lists semaphores with their counters, and frees them.
 */
import type { VkmemError } from '@vkmemd/proto';
import { Command } from 'commander';
import type { ControlClient } from '../control.js';
import type { SemaphoreInfo } from '../request/semaphores.js';
import { UUID } from './allocation.js';
import { actionOf, errorObject, expected, newCommand } from './command.js';
import { age, type Column, short, table } from './format.js';

const ABOUT = `A semaphore orders the work of processes on the GPU. Programs create semaphores and claim their
handles (docs/semaphores.md); here they are listed, with the counters of timelines, and freed.`;
const LS = `List the semaphores that you may see, oldest first: your own; for operators, and for users whom the policy
allows to see others, all of them.

VALUE is the counter of a timeline. KIND is the handle that it can be granted as, '-' for none. KEPT: whether it
outlives a restart of the daemon, if its session does. STATE 'lost': the device was lost.`;
const FREE = `Free semaphores. They can no longer be claimed, and requests that wait for them are refused. Handles
that processes have stay valid. Specify a semaphore by its name ('frames', or '1000/frames' for one of user 1000) or
its id.`;

const COLUMNS: readonly Column[] = [
  { heading: 'ID' },
  { heading: 'NAME' },
  { heading: 'OWNER' },
  { heading: 'TYPE' },
  { heading: 'KIND' },
  { heading: 'VALUE', right: true },
  { heading: 'KEPT' },
  { heading: 'STATE' },
  { heading: 'AGE', right: true },
];

/** A semaphore, and its counter; undefined for a binary or a lost one. */
interface Listed {
  readonly semaphore: SemaphoreInfo;
  readonly value: bigint | undefined;
}

const typeOf = ({ type }: SemaphoreInfo): string => short('SEMAPHORE_TYPE_', type);
const stateOf = ({ state }: SemaphoreInfo): string => short('SEMAPHORE_STATE_', state).toLowerCase();
const kindsOf = ({ kinds }: SemaphoreInfo): string[] => kinds.map((kind) => short('SEMAPHORE_KIND_', kind));

/** The counter; undefined where there is none, also if the semaphore has ended meanwhile. */
async function withValue(control: ControlClient, semaphore: SemaphoreInfo): Promise<Listed> {
  if (typeOf(semaphore) !== 'TIMELINE' || stateOf(semaphore) !== 'live')
    return { semaphore, value: undefined };
  try {
    return { semaphore, value: (await control.semaphores.get({ id: semaphore.id })).value };
  } catch (failure) {
    if (expected(failure).code === 'UNAVAILABLE') throw failure;
    return { semaphore, value: undefined };
  }
}

function object({ semaphore, value }: Listed): object {
  const { id, name, tenant, ownerUid, ownerSessionId, createdAt, kept, lifetime } = semaphore;
  return {
    id,
    name: name || null,
    tenant: tenant?.key ?? null,
    ownerUid,
    ownerSessionId: ownerSessionId || null,
    type: typeOf(semaphore),
    kinds: kindsOf(semaphore),
    lifetime: short('LIFETIME_', lifetime),
    state: stateOf(semaphore),
    // A counter may have more digits than a JSON number holds.
    value: value === undefined ? null : String(value),
    kept,
    createdAt: createdAt && new Date(Number(createdAt.seconds) * 1000).toISOString(),
  };
}

function listTable(all: readonly Listed[]): string {
  const now = Date.now();
  const rows = all.map(({ semaphore, value }) => [
    semaphore.id,
    semaphore.name || '-',
    semaphore.tenant?.name ?? String(semaphore.ownerUid),
    typeOf(semaphore),
    kindsOf(semaphore).join(',') || '-',
    value === undefined ? '-' : String(value),
    semaphore.kept ? 'yes' : 'no',
    stateOf(semaphore),
    age(semaphore.createdAt, now),
  ]);
  return table(COLUMNS, rows);
}

function lsCommand(): Command {
  return newCommand('ls', LS, ['semaphore ls', 'semaphore ls --json'])
    .summary('list semaphores')
    .action(
      actionOf(async ({ control, print }) => {
        const all: Listed[] = [];
        for (const semaphore of await control.semaphores.list())
          all.push(await withValue(control, semaphore));
        print({ semaphores: all.map(object) }, () => (all.length > 0 ? listTable(all) : 'No semaphores.'));
      }),
    );
}

function freeCommand(): Command {
  return newCommand('free', FREE, ['semaphore free frames', 'semaphore free --json 1000/frames'])
    .summary('free semaphores')
    .argument('<name-or-id...>', 'the semaphores')
    .action(
      actionOf(async ({ control, print, fail }, refs) => {
        const freed: string[] = [];
        const failures: VkmemError[] = [];
        for (const ref of refs) {
          try {
            await control.semaphores.free(UUID.test(ref) ? { id: ref } : { name: ref });
            freed.push(ref);
          } catch (failure) {
            failures.push(expected(failure));
            fail(failure);
          }
        }
        const [first] = failures;
        print(first ? { freed, error: errorObject(first) } : { freed }, () =>
          freed.map((ref) => `Freed ${ref}.`).join('\n'),
        );
      }),
    );
}

export function semaphoreCommand(): Command {
  return new Command('semaphore')
    .description(ABOUT.replace(/(?<!\n)\n(?!\n)/g, ' '))
    .summary('list and free semaphores')
    .addHelpText('after', '\nExamples:\n  $ vkmemctl semaphore ls\n  $ vkmemctl semaphore free frames')
    .addCommand(lsCommand())
    .addCommand(freeCommand());
}
