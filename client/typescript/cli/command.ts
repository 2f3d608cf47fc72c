/**
 * The common parts of all commands of vkmemctl: the connection to the daemon, the output, and the failures.
 *
 * With --json, standard output is one JSON object, also for a failure; a command that watches prints one per
 * line. A failure is one line on standard error, `vkmemctl: CODE: what happened and what to do`, with exit
 * code 69 (EX_UNAVAILABLE) if the daemon cannot be reached, otherwise 1. No command waits for a daemon that
 * is away: run it again.
 */
import { systemFault, VkmemError } from '@vkmemd/proto';
import { Command, Option } from 'commander';
import type { Place } from '../connection/discovery.js';
import { type ControlClient, connectControl } from '../control.js';
import { parseUser } from './user.js';

export const EXIT_FAILED = 1;
export const EXIT_UNREACHABLE = 69;

/** Options of every command. */
interface Globals extends Omit<Place, 'expectUid'> {
  readonly expectUid?: string;
  readonly json?: boolean;
}

/** The environment of a command while it runs. */
export interface Context {
  /** Which daemon. */
  readonly place: Place;
  /** Closed when the command has ended. */
  readonly control: ControlClient;
  /** Prints the object with --json, and otherwise the text, unless it is ''. */
  print(object: object, text: () => string): void;
  /** Prints a failure and sets the exit code. The command may continue. */
  fail(failure: unknown): void;
}

/** The representation of an error with --json. */
export function errorObject({ code, message, next }: VkmemError): object {
  return { code, message, next };
}

/**
 * Returns an error of the catalogue; that of a failed system call is given one. Any other failure is a defect and is
 * thrown with its stack.
 */
export function expected(failure: unknown): VkmemError {
  if (failure instanceof VkmemError) return failure;
  const fault = systemFault(failure);
  if (fault) return fault;
  throw failure;
}

/**
 * Prints a failure on standard error and sets the exit code.
 * @returns The failure.
 */
export function report(failure: unknown): VkmemError {
  const error = expected(failure);
  process.stderr.write(`vkmemctl: ${error.code}: ${error.message}\n`);
  process.exitCode = error.code === 'UNAVAILABLE' ? EXIT_UNREACHABLE : EXIT_FAILED;
  return error;
}

/** Bytes are JSON numbers, which are exact up to 2^53 (8 PiB). */
const numbers = (_key: string, value: unknown) => (typeof value === 'bigint' ? Number(value) : value);

/**
 * These options belong to the program and are shown in the program's help. Commands accept them too, so that they
 * may appear anywhere on the command line.
 */
const FLAGS = ['--runtime-dir <folder>', '--device <which>', '--expect-uid <user>'];
const PLACE = FLAGS.map((flags) => new Option(flags).hideHelp());

/**
 * Creates a command with the common options.
 * @param description Paragraphs; commander breaks their lines.
 */
export function newCommand(name: string, description: string, examples: readonly string[]): Command {
  const list = examples.map((example) => `  $ vkmemctl ${example}`).join('\n');
  const command = new Command(name)
    .description(description.replace(/(?<!\n)\n(?!\n)/g, ' '))
    .addOption(new Option('--json', 'print one JSON object'));
  for (const option of PLACE) command.addOption(option);
  return command.addHelpText('after', `\nExamples:\n${list}`);
}

/** Ends the program as for an invalid option if there is no such user. */
function userOption(command: Command, text: string): number {
  try {
    return parseUser(text);
  } catch (failure) {
    return command.error(`--expect-uid: ${expected(failure).reason}`);
  }
}

/** The action of a command: calls `work` with a context, and reports its failure. */
export function actionOf(
  work: (context: Context, operands: readonly string[], options: Record<string, unknown>) => Promise<void>,
): (...args: unknown[]) => Promise<void> {
  return async (...args) => {
    const command = args.at(-1) as Command;
    const {
      runtimeDir,
      device,
      expectUid: user,
      json = false,
      ...options
    }: Globals & Record<string, unknown> = { ...command.optsWithGlobals(), ...command.opts() };
    const expectUid = user === undefined ? undefined : userOption(command, user);
    const place: Place = { runtimeDir, device, expectUid };
    await using control = connectControl(place);
    const context: Context = {
      place,
      control,
      print: (object, text) => {
        const lines = json ? [JSON.stringify(object, numbers)] : [text()].filter(Boolean);
        for (const line of lines) process.stdout.write(`${line}\n`);
      },
      fail: report,
    };
    try {
      await work(context, command.args, options);
    } catch (failure) {
      context.print({ error: errorObject(report(failure)) }, () => '');
    }
  };
}
