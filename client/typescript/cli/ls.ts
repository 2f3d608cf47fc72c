/**
 * vkmemctl ls: the allocations that the caller may see.
 */
import type { Command } from 'commander';
import { allocationObject, allocationTable } from './allocation.js';
import { actionOf, newCommand } from './command.js';

const DESCRIPTION = `List the allocations that you may see, oldest first: your own, and everybody's for operators and whom the policy lets see others.

SIZE is what the device holds. A draining allocation was freed, but somebody still holds it: its bytes are not free.
A degraded one outlived a restart of the daemon and can be claimed, but the device does not have it back yet.
What is published can be claimed to read alone. SHARING, shown where it matters, is 'one' where one session at a time may
write, 'excl' where one may write or others read; the number is the session that has the right to write.
The ID is shortened; --json has it whole, and 'free' takes either.`;

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
