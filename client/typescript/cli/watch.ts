/**
 * vkmemctl watch: shows the events of allocations, one per line.
 */
import { kindFromWire } from '@vkmemd/proto';
import type { Command } from 'commander';
import type { WatchedAllocation } from '../control.js';
import { allocationObject, SHORT_ID_LENGTH } from './allocation.js';
import { actionOf, newCommand } from './command.js';
import { humanBytes, short } from './format.js';
import { untilInterrupted } from './interruptible.js';

const DESCRIPTION = `Show the events of the allocations that you may see, as they occur, until it is
interrupted (exit code 0).

Events: created; granted, for each grant that is issued to a session; published; draining, when its owner
frees it; freed, when nothing holds it any more and its bytes are free. --existing begins with the existing
allocations.

With --json, each event is one object per line. The watch ends with UNAVAILABLE, so that no event is lost
silently, if its reader is too slow, or if the daemon ends, also for a restart. Then start a new watch with
--existing.`;

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
    .option('--existing', 'begin with the existing allocations')
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
