/**
 * vkmemctl watch: the events of allocations, a line each.
 */
import { kindFromWire } from '@vkmemd/proto';
import type { Command } from 'commander';
import type { WatchedAllocation } from '../control.js';
import { allocationObject, SHORT_ID_LENGTH } from './allocation.js';
import { actionOf, newCommand } from './command.js';
import { humanBytes, short } from './format.js';
import { untilInterrupted } from './interruptible.js';

const DESCRIPTION = `Show the events of the allocations that you may see, as they happen, until interrupted (exit code 0).

An allocation is created; each handle that is given to a session is granted; it may be published; it is draining once it
was given up; and freed when nobody holds it any more, which is when its bytes are free. With --existing it begins with
those that exist.

With --json each event is one object a line. A reader that is too slow ends it, and so does a daemon that goes, also if it
comes back (UNAVAILABLE): nothing is left out quietly. Begin anew with --existing.`;

const EXAMPLES = ['watch', 'watch --existing', 'watch --json | jq --unbuffered .event'];

const EVENT_WIDTH = 9;

function moment({ at }: WatchedAllocation): Date | undefined {
  return at ? new Date(Number(at.seconds) * 1000 + Math.floor(at.nanos / 1e6)) : undefined;
}

const accessOf = (access: unknown): string => (access === 'ACCESS_READ_ONLY' ? 'ro' : 'rw');

function eventObject(watched: WatchedAllocation): object {
  const { sequence, event, allocation, grantId, sessionId, kind, access } = watched;
  const given = {
    id: grantId,
    sessionId,
    kind: short('KIND_', kind),
    access: accessOf(access),
  };
  return {
    sequence,
    event: short('ALLOCATION_EVENT_', event),
    at: moment(watched)?.toISOString() ?? null,
    allocation: allocationObject(allocation),
    grant: grantId === 0n ? null : given,
  };
}

function eventLine(watched: WatchedAllocation): string {
  const { event, allocation, grantId, sessionId, kind, access } = watched;
  const words = [
    moment(watched)?.toISOString() ?? '-',
    short('ALLOCATION_EVENT_', event).toLowerCase().padEnd(EVENT_WIDTH),
    allocation.id.slice(0, SHORT_ID_LENGTH),
    allocation.name || '-',
    humanBytes(allocation.sizeBytes),
    `uid ${allocation.ownerUid}`,
  ];
  if (grantId !== 0n) {
    const what = kindFromWire(kind) ?? String(kind);
    words.push(`${what} ${accessOf(access)} to session ${sessionId}`);
  }
  return words.join('  ');
}

export function watchCommand(): Command {
  return newCommand('watch', DESCRIPTION, EXAMPLES)
    .summary('show the events of allocations')
    .option('--existing', 'begin with those that exist')
    .action(
      actionOf(async ({ control, print }, _operands, { existing }) => {
        await untilInterrupted(async (signal) => {
          for await (const watched of control.watchAllocations({ existing: existing === true, signal })) {
            print(eventObject(watched), () => eventLine(watched));
          }
        });
      }),
    );
}
