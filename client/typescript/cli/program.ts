/**
 * The program's commands. One file a command; command.ts has what they share.
 */
import { VkmemError } from '@vkmemd/proto';
import { Command, CommanderError } from 'commander';
import { allocCommand } from './alloc.js';
import { budgetCommand } from './budget.js';
import { EXIT_FAILED, errorObject, report } from './command.js';
import { doctorCommand } from './doctor.js';
import { drainCommand } from './drain.js';
import { execCommand } from './exec.js';
import { freeCommand } from './free.js';
import { lsCommand } from './ls.js';
import { publishCommand } from './publish.js';
import { quotaCommand } from './quota.js';
import { reloadCommand } from './reload.js';
import { statusCommand } from './status.js';
import { ticketCommand } from './ticket.js';
import { version } from './version.js';
import { vmCommand } from './vm.js';
import { watchCommand } from './watch.js';

const HELP = `
Every command takes --json: one JSON object on standard output, sizes in bytes as numbers; a failure is
{"error":{"code","message","next"}}. 'watch' and 'budget --watch' print one object a line. Exit codes: 0 done, 1 refused or failed, 69 the daemon cannot be reached (no command waits for one that restarts); of 'exec', those of what it runs.

Examples:
  $ vkmemctl status
  $ vkmemctl doctor
  $ vkmemctl alloc frames --size 64M
  $ vkmemctl ls --json
  $ vkmemctl exec --allocate name=frames,size=64M -- node worker.mjs
  $ vkmemctl free frames`;

// The reader of our output may stop at any time, as head does. All else is a failure, such as a full disk.
process.stdout.on('error', (failure: NodeJS.ErrnoException) => {
  if (failure.code === 'EPIPE') return;
  process.stderr.write(`vkmemctl: standard output: ${failure.message}\n`);
  process.exitCode = EXIT_FAILED;
});

const program = new Command('vkmemctl')
  .description('Look after the memory of a vkmemd daemon.')
  .version(version())
  .enablePositionalOptions() // so that the options of what 'exec' runs are left to that
  .option(
    '--runtime-dir <folder>',
    "the daemon's (default: $RUNTIME_DIRECTORY, $XDG_RUNTIME_DIR/vkmemd, /run/vkmemd)",
  )
  .addHelpText('after', HELP)
  .addCommand(statusCommand())
  .addCommand(doctorCommand())
  .addCommand(lsCommand())
  .addCommand(budgetCommand())
  .addCommand(quotaCommand())
  .addCommand(allocCommand())
  .addCommand(freeCommand())
  .addCommand(ticketCommand())
  .addCommand(watchCommand())
  .addCommand(drainCommand())
  .addCommand(reloadCommand())
  .addCommand(publishCommand())
  .addCommand(execCommand())
  .addCommand(vmCommand());
const commands = [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)];
// Faults of the command line are printed below, as every failure is.
for (const command of commands) command.exitOverride().configureOutput({ outputError: () => {} });

/** Prints a fault of the command line, as every failure is printed. */
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

// Not awaited: a bundle is a script, which has no top-level await. A rejection of refuse() ends the process.
void program.parseAsync().catch(refuse);
