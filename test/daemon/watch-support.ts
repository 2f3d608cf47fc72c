/** Shared by the tests of WatchAllocations: waiting until a watch has started, and its events. */
import type { AllocationReport } from '../support/control-wire.js';
import type { HandoffWire, Received } from '../support/handoff-wire.js';
import type { Watching } from '../support/watching.js';

export const kinds = ['KIND_MAPPABLE'] as const;
export const SMALL = { sizeBytes: 4096n, kinds };

export const nameOf = ({ event }: AllocationReport): string => String(event).replace('ALLOCATION_EVENT_', '');
export const eventsOf = (watching: Watching<AllocationReport>): string[] => watching.reports.map(nameOf);
export const isOf = (id: string, event: string) => (report: AllocationReport) =>
  report.allocation?.id === id && nameOf(report) === event;

/** Closes the fds of an answer. */
export function dropped({ fds, message }: Received): Received['message'] {
  for (const fd of fds) fd.close();
  return message;
}

/** Resolves when the watch has started: allocates until it reports an event, then discards its reports. */
export async function watchingNow(watching: Watching<AllocationReport>, wire: HandoffWire): Promise<void> {
  const makeOne = async () => {
    const { allocate } = (await wire.ask({ allocate: SMALL })).message;
    const id = allocate?.allocation?.id ?? '';
    await wire.ask({ free: { allocation: { id } } });
    return id;
  };
  for (let tries = 0; watching.reports.length === 0; tries += 1) {
    if (tries > 200) throw new Error('the watch has not started');
    await makeOne();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await watching.until(isOf(await makeOne(), 'FREED'));
  watching.clear();
}

/** Whether the stream's numbers are consecutive. */
export function gapless({ reports }: Watching<AllocationReport>): boolean {
  return reports.every(({ sequence }, at) => sequence === (reports[0]?.sequence ?? 0n) + BigInt(at));
}
