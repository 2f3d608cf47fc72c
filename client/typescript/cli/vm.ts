/**
 * vkmemctl vm: memory for virtual machines. Each subcommand has its own file.
 */
import { Command } from 'commander';
import { vmAttachCommand } from './vm-attach.js';
import { vmDescribeCommand } from './vm-describe.js';
import { vmDetachCommand } from './vm-detach.js';
import { ivshmemCommand } from './vm-ivshmem.js';
import { vmLsCommand } from './vm-ls.js';
import { vmRunCommand } from './vm-run.js';
import { vmStopCommand } from './vm-stop.js';

const ABOUT = `Memory of the daemon for virtual machines: describe it for a backend, offer it as QEMU's
ivshmem device, start QEMU with it, or add it to a running machine.`;

export function vmCommand(): Command {
  return new Command('vm')
    .description(ABOUT.replace(/(?<!\n)\n(?!\n)/g, ' '))
    .summary('memory for virtual machines')
    .enablePositionalOptions() // as in main.ts
    .addHelpText('after', '\nExamples:\n  $ vkmemctl vm ivshmem frames --vectors 2\n  $ vkmemctl vm ls')
    .addCommand(ivshmemCommand())
    .addCommand(vmLsCommand())
    .addCommand(vmRunCommand())
    .addCommand(vmAttachCommand())
    .addCommand(vmDetachCommand())
    .addCommand(vmStopCommand())
    .addCommand(vmDescribeCommand());
}
