/**
 * vkmemctl publish: makes an allocation immutable for all later grants.
 */
import type { Command } from 'commander';
import { allocationObject, UUID } from './allocation.js';
import { actionOf, newCommand } from './command.js';
import { humanBytes } from './format.js';

const DESCRIPTION = `Make an allocation immutable for all later grants.

It must have been allocated with --publishable. Afterwards it can only be claimed for reading. As MAPPABLE the
kernel enforces that; a process that mapped it for writing before can still write. As OPAQUE_FD nothing
enforces it (the grant says ADVISORY): holders, earlier and later, are trusted not to write, and map it by
CUDA with CU_MEM_ACCESS_FLAGS_PROT_READ. This cannot be undone.

Specify the allocation by its name ('model', or '1000/model' for one of user 1000) or its whole id.`;

/** Of memory that is granted as OPAQUE_FD. */
const ADVISORY = ' Holders of an OPAQUE_FD are trusted not to write (ADVISORY).';

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
            `Published ${ref}: ${humanBytes(allocation.sizeBytes)}. Write access is no longer granted.` +
            (allocation.kinds.includes('KIND_OPAQUE_FD') ? ADVISORY : ''),
        );
      }),
    );
}
