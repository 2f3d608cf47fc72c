/**
 * What every command of vkmemctl has in common: the daemon it speaks to, how it prints, how it fails.
 *
 * With --json, standard output is one JSON object, whatever happens (of a command that watches, one a line).
 * A failure is one line on standard error, `vkmemctl: CODE: what happened and what to do`, and exit code 69
 * (EX_UNAVAILABLE) where the daemon cannot be reached, 1 otherwise. No command waits for a daemon that is
 * away: it can be run again.
 */
import { VkmemError } from '@vkmemd/proto';
import { Command, Option } from 'commander';
import { type ControlClient, connectControl } from '../control.js';

export const EXIT_FAILED = 1;
export const EXIT_UNREACHABLE = 69;

/** Options of every command. */
interface Globals {
  readonly runtimeDir?: string;
  readonly json?: boolean;
}

/** What a command may use while it runs. */
export interface Context {
  readonly runtimeDir: string | undefined;
  /** Closed when the command has ended. */
  readonly control: ControlClient;
  /** Prints the object with --json; without, the text, where there is any. */
  print(object: object, text: () => string): void;
  /** Says what went wrong, and has the program exit with its code; the command may go on. */
  fail(failure: unknown): void;
}

/** An error as --json shows it. */
export function errorObject({ code, message, next }: VkmemError): object {
  return { code, message, next };
}

/** A failure of the catalogue's as it is; any other is a defect and keeps its stack. */
export function expected(failure: unknown): VkmemError {
  if (failure instanceof VkmemError) return failure;
  throw failure;
}

/** Says what went wrong on standard error, and has the program exit with its code. @returns the failure. */
export function report(failure: unknown): VkmemError {
  const error = expected(failure);
  process.stderr.write(`vkmemctl: ${error.code}: ${error.message}\n`);
  process.exitCode = error.code === 'UNAVAILABLE' ? EXIT_UNREACHABLE : EXIT_FAILED;
  return error;
}

/** Bytes are JSON numbers: exact up to 2^53, which is 8 PiB. */
const numbers = (_key: string, value: unknown) => (typeof value === 'bigint' ? Number(value) : value);

/**
 * Of the program as a whole, and shown in its help; a command takes it too, since people write it anywhere.
 */
const RUNTIME_DIR = new Option('--runtime-dir <folder>').hideHelp();

/** A command with the options that all have. @param description paragraphs; commander breaks their lines. */
export function newCommand(name: string, description: string, examples: readonly string[]): Command {
  const list = examples.map((example) => `  $ vkmemctl ${example}`).join('\n');
  return new Command(name)
    .description(description.replace(/(?<!\n)\n(?!\n)/g, ' '))
    .addOption(new Option('--json', 'print one JSON object'))
    .addOption(RUNTIME_DIR)
    .addHelpText('after', `\nExamples:\n${list}`);
}

/** A command's action: `work`, with a context, and with its failure reported. */
export function actionOf(
  work: (context: Context, operands: readonly string[], options: Record<string, unknown>) => Promise<void>,
): (...args: unknown[]) => Promise<void> {
  return async (...args) => {
    const command = args.at(-1) as Command;
    const {
      runtimeDir,
      json = false,
      ...options
    }: Globals & Record<string, unknown> = { ...command.optsWithGlobals(), ...command.opts() };
    await using control = connectControl({ runtimeDir });
    const context: Context = {
      runtimeDir,
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
