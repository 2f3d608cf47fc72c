/**
 * vkmemctl vm stop: ends an offer of `vm ivshmem`.
 */
import type { Command } from 'commander';
import { UUID } from './allocation.js';
import { actionOf, newCommand } from './command.js';

const DESCRIPTION = `End the offer of an allocation as ivshmem device: its socket and all connections are
closed. Mappings of machines and workers stay, and the connected peers can still interrupt each other. A
symbolic link of --path stays.`;

export function vmStopCommand(): Command {
  return newCommand('stop', DESCRIPTION, ['vm stop frames'])
    .summary('end an offer')
    .argument('<name-or-id>', 'the allocation')
    .action(
      actionOf(async ({ control, print }, [ref = '']) => {
        await control.ivshmem.stop(UUID.test(ref) ? { id: ref } : { name: ref });
        print({ stopped: ref }, () => `Stopped ${ref}.`);
      }),
    );
}
