/**
 * vkmemctl vm: memory for virtual machines. One file a subcommand.
 */
import { Command } from 'commander';
import { ivshmemCommand } from './vm-ivshmem.js';
import { vmLsCommand } from './vm-ls.js';
import { vmStopCommand } from './vm-stop.js';

const ABOUT = `Give virtual machines memory of the daemon: describe it to a backend, offer it as QEMU's ivshmem device, start QEMU
with it, or add it to one that runs.`;

export function vmCommand(): Command {
  return new Command('vm')
    .description(ABOUT.replace(/(?<!\n)\n(?!\n)/g, ' '))
    .summary('memory for virtual machines')
    .addHelpText('after', '\nExamples:\n  $ vkmemctl vm ivshmem frames --vectors 2\n  $ vkmemctl vm ls')
    .addCommand(ivshmemCommand())
    .addCommand(vmLsCommand())
    .addCommand(vmStopCommand());
}
