/**
 * The commands of vkmemctl. Each has its own file; command.ts has their common parts.
 */
import { VkmemError } from '@vkmemd/proto';
import { Command, CommanderError } from 'commander';
import { allocCommand } from './alloc.js';
import { budgetCommand } from './budget.js';
import { EXIT_FAILED, errorObject, report } from './command.js';
import { devicesCommand } from './devices.js';
import { doctorCommand } from './doctor.js';
import { drainCommand } from './drain.js';
import { execCommand } from './exec.js';
import { freeCommand } from './free.js';
import { lsCommand } from './ls.js';
import { publishCommand } from './publish.js';
import { quotaCommand } from './quota.js';
import { reloadCommand } from './reload.js';
import { semaphoreCommand } from './semaphore.js';
import { statusCommand } from './status.js';
import { ticketCommand } from './ticket.js';
import { version } from './version.js';
import { vmCommand } from './vm.js';
import { watchCommand } from './watch.js';

const HELP = `
Every command accepts --json and then prints one JSON object on standard output, with sizes as numbers of
bytes. A failure is {"error":{"code","message","next"}}. 'watch' and 'budget --watch' print one object per
line.

Exit codes: 0 success; 1 refused or failed; 69 the daemon cannot be reached (no command waits for a daemon
that restarts). 'exec', 'vm run' and 'vm ivshmem --fd' exit with the code of the program that they run.

Examples:
  $ vkmemctl status
  $ vkmemctl devices
  $ vkmemctl doctor --device 1
  $ vkmemctl alloc frames --size 64M
  $ vkmemctl ls --json
  $ vkmemctl exec --allocate name=frames,size=64M -- node worker.mjs
  $ vkmemctl free frames`;

// The reader of standard output may exit at any time, as head(1) does. Other errors are failures, such as a
// full disk.
process.stdout.on('error', (failure: NodeJS.ErrnoException) => {
  if (failure.code === 'EPIPE') return;
  process.stderr.write(`vkmemctl: standard output: ${failure.message}\n`);
  process.exitCode = EXIT_FAILED;
});

const program = new Command('vkmemctl')
  .description('Manage the memory of a vkmemd daemon.')
  .version(version())
  .enablePositionalOptions() // so that the options of the program that 'exec' runs are not parsed
  .option(
    '--runtime-dir <folder>',
    "the daemon's runtime folder (default: $VKMEMD_RUNTIME_DIR; else /run/vkmemd or $XDG_RUNTIME_DIR/vkmemd)",
  )
  .option(
    '--device <which>',
    'where several daemons have a device each: its UUID (also GPU-UUID, or its first digits), index or name (see devices)',
  )
  .option(
    '--expect-uid <user>',
    'refuse sockets that do not belong to this user (default: any, with a warning for an unknown one)',
  )
  .addHelpText('after', HELP)
  .addCommand(statusCommand())
  .addCommand(devicesCommand())
  .addCommand(doctorCommand())
  .addCommand(lsCommand())
  .addCommand(budgetCommand())
  .addCommand(quotaCommand())
  .addCommand(allocCommand())
  .addCommand(freeCommand())
  .addCommand(ticketCommand())
  .addCommand(semaphoreCommand())
  .addCommand(watchCommand())
  .addCommand(drainCommand())
  .addCommand(reloadCommand())
  .addCommand(publishCommand())
  .addCommand(execCommand())
  .addCommand(vmCommand());
const commands = [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)];
// Errors of the command line are printed by refuse().
for (const command of commands) command.exitOverride().configureOutput({ outputError: () => {} });

/** Prints an error of the command line in the form of all failures. */
function refuse(failure: unknown): void {
  if (!(failure instanceof CommanderError)) throw failure;
  process.exitCode = failure.exitCode;
  if (failure.exitCode !== 0 && failure.code !== 'commander.help') {
    const reason = failure.message
      .replace(/^error: /, '')
      .replaceAll('\n', ' ')
      .replace(/\.?$/, '.');
    const error = report(new VkmemError('INVALID_ARGUMENT', reason));
    if (process.argv.includes('--json'))
      process.stdout.write(`${JSON.stringify({ error: errorObject(error) })}\n`);
  }
}

// Not awaited, because a bundle is a script, which has no top-level await. A rejection of refuse() ends the
// process.
void program.parseAsync().catch(refuse);
