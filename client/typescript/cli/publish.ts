/**
 * vkmemctl publish: makes an allocation immutable for all later grants.
 */
import type { Command } from 'commander';
import { allocationObject, UUID } from './allocation.js';
import { actionOf, newCommand } from './command.js';
import { humanBytes } from './format.js';

const DESCRIPTION = `Make an allocation immutable for everybody who claims it from now on.

It must have been allocated with --publishable. From then on it can be claimed to read only, and as MAPPABLE only, and
the kernel holds everybody to that. A process that had mapped it for writing before can still write. There is no way back.
It is named by its name ('model', or '1000/model' of user 1000) or its whole id.`;

export function publishCommand(): Command {
  return newCommand('publish', DESCRIPTION, ['publish model', 'publish --json 1000/model'])
    .summary('make an allocation immutable')
    .argument('<name-or-id>', 'the allocation')
    .action(
      actionOf(async ({ control, print }, [ref = '']) => {
        const allocation = await control.publish(UUID.test(ref) ? { id: ref } : { name: ref });
        print(
          { allocation: allocationObject(allocation) },
          () =>
            `Published ${ref}: ${humanBytes(allocation.sizeBytes)} that nobody is granted to write to any more.`,
        );
      }),
    );
}
