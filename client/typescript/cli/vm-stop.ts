/**
 * vkmemctl vm stop: ends what `vm ivshmem` began.
 */
import type { Command } from 'commander';
import { UUID } from './allocation.js';
import { actionOf, newCommand } from './command.js';

const DESCRIPTION = `End the offer of an allocation as ivshmem device: its socket goes, and every connection. What machines and workers have
mapped stays mapped, and those that are there can go on ringing each other. A symbolic link that --path made stays.`;

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
