/**
 * vkmemctl ls: lists the allocations that the caller may see.
 */
import type { Command } from 'commander';
import { allocationObject, allocationTable } from './allocation.js';
import { actionOf, newCommand } from './command.js';

const DESCRIPTION = `List the allocations that you may see, oldest first: your own; for operators, and for
users whom the policy allows to see others, all of them.

SIZE is the size on the device. STATE: 'live'; 'draining', freed but still held by a process, so its bytes are
not free; 'degraded', it outlived a restart of the daemon and can be claimed, but the device has not imported
it yet; 'published', it can only be claimed for reading, which is advisory as OPAQUE_FD. SHARING, shown where
any allocation is not shared, is 'one' (one session at a time may write) or 'excl' (one session may write, or
others read); the number is the session that may write. SOURCE, shown where any allocation was imported, is
'daemon' for memory that the daemon allocated, 'imported', or 'cuda-vmm' for memory of CUDA's cuMemCreate. The
ID is shortened; --json prints the whole id, and 'free' accepts both.`;

export function lsCommand(): Command {
  return newCommand('ls', DESCRIPTION, ['ls', 'ls --json'])
    .summary('list allocations')
    .action(
      actionOf(async ({ control, print }) => {
        const allocations = await control.list();
        print({ allocations: allocations.map(allocationObject) }, () =>
          allocations.length > 0 ? allocationTable(allocations, Date.now()) : 'No allocations.',
        );
      }),
    );
}
