/**
 * vkmemctl exec: begins a session, makes allocations, and becomes a command that has both.
 *
 * The command runs in this very process, so its exit code, its signals and its terminal are its own, and the
 * session ends with it. A failure before that frees what was made and exits as env(1) does: 127 where there
 * is no such command, 126 where it cannot be run, otherwise as every command of vkmemctl.
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { HANDOFF_SOCKET, type Program, runtimeDir, VkmemError } from '@vkmemd/proto';
import type { Command } from 'commander';
import { Handover } from '../connection/handover.js';
import type { ControlClient } from '../control.js';
import { allocateOrFind, hasCode, requireFit } from '../request/if-exists.js';
import { parseAllWanted, type Wanted } from './allocate-option.js';
import { actionOf, type Context, errorObject, expected, newCommand } from './command.js';
import { sandboxed } from './sandbox.js';

const DESCRIPTION = `Run CMD with a session of the daemon that it inherits, and with memory that was made for it.

CMD finds the connected socket on the fd $VKMEM_SESSION_FD, where the client library's connect() takes it up without
any path, and in $VKMEM_ALLOCATIONS the ids of its allocations, as a JSON object. It has standard input, output and
error and no other fd. It takes the place of vkmemctl: same process, its own exit code, and signals reach it. The
session ends with it, whatever other process has the fd, or when the client library that took it up is closed: it is for one program,
CMD or one that CMD starts. Where the daemon restarts, CMD keeps what it has mapped, and the client library
connects again to $VKMEM_SESSION_PATH; in a sandbox, which sees no path, there is no connection any more.

ALLOCATION is a list of name= and size=, and kind= (MAPPABLE by default; several as MAPPABLE+OPAQUE_FD), lifetime=
(named or session), sharing= (shared, one-writer or exclusive), publishable, the hints of 'alloc' (power-of-two, align=,
prefault, huge-pages=, reopenable), and if-exists=claim, to use the allocation that has the name already, where it fits. A named one stays when CMD has ended, until it is freed; with lifetime=session
it ends with the session, and its name is for CMD alone.

With --sandbox CMD sees no network, no other process and no file but the system's programs and libraries (/usr), an
empty /tmp, and what --ro and --rw show. It ends with the process that started it. A signal that ends bubblewrap (as
^C does) ends CMD at once. What vkmemctl cannot hand on: signals that were ignored before are not, and the soft limit of
open files is the hard one.`;

const EXAMPLES = [
  'exec --allocate name=frames,size=64M -- node worker.mjs',
  'exec --allocate name=scratch,size=1G,lifetime=session -- python3 worker.py --fast',
  'exec --allocate name=frames,size=64M,if-exists=claim -- sh -c \'echo "$VKMEM_ALLOCATIONS"\'',
  'exec --sandbox --ro ./worker --env MODE=test --allocate name=frames,size=64M -- node ./worker/main.mjs',
];

const EXIT_CANNOT_RUN = 126;
const EXIT_NOT_FOUND = 127;
/** In UTF-16 units, none of which is more than 3 of the 128 bytes that a client's name may have. */
const MAX_NAME = 42;
const COMMAND_LINE = '/proc/self/cmdline';

interface Options {
  readonly allocate?: string[];
  readonly sandbox?: boolean;
  readonly ro?: string[];
  readonly rw?: string[];
  readonly env?: string[];
}

export const another = (word: string, before: readonly string[] = []): string[] => [...before, word];

/**
 * The last arguments of this process as they came, which need not be UTF-8; as text where the bytes are not
 * known.
 */
export function rawArguments(args: readonly string[]): (string | Uint8Array)[] {
  if (!existsSync(COMMAND_LINE)) return [...args];
  const all = readFileSync(COMMAND_LINE, 'latin1').split('\0').slice(0, -1);
  const raw = all.slice(all.length - args.length).map((arg) => Buffer.from(arg, 'latin1'));
  return args.map((arg, at) => (raw[at]?.toString() === arg ? raw[at] : arg));
}

function programOf(operands: readonly string[], options: Options): Program {
  const [command = '', ...args] = operands;
  const { sandbox = false, ro = [], rw = [], env = [] } = options;
  if (sandbox) return sandboxed(command, rawArguments(args), { ro, rw, env });
  if (ro.length + rw.length + env.length === 0) return { file: command, args: rawArguments(args) };
  throw new VkmemError('INVALID_ARGUMENT', '--ro, --rw and --env are for --sandbox.', { field: 'sandbox' });
}

/** Makes an allocation for the command, or adds the existing one. */
export async function provide(
  handover: Handover,
  control: ControlClient,
  { label, request, orExisting }: Wanted,
): Promise<void> {
  const allocate = () => handover.allocate(label, request);
  if (!orExisting) {
    await allocate().catch((failure) => {
      if (!hasCode(failure, 'NAME_TAKEN')) throw failure;
      const reason = `${failure.reason} With if-exists=claim CMD gets that one.`;
      throw new VkmemError('NAME_TAKEN', reason, failure.metadata, failure);
    });
    return;
  }
  await allocateOrFind(allocate, async () => {
    const existing = await control.get({ name: label });
    requireFit(request, existing);
    handover.addAllocation(label, existing.id);
    return existing;
  });
}

/** The exit code of a command that did not run; undefined for any other failure. */
function exitCodeOf({ code, metadata }: VkmemError): number | undefined {
  if (code !== 'INVALID_ARGUMENT' || metadata.errno === undefined) return undefined;
  return metadata.errno === 'ENOENT' ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}

/** Of a sandbox that could not be made: which program is missing. */
function described(failure: unknown, sandbox = false): unknown {
  if (!sandbox || !(failure instanceof VkmemError) || failure.metadata.errno !== 'ENOENT') return failure;
  const reason = '--sandbox: there is no bwrap; install the package bubblewrap.';
  return new VkmemError('INVALID_ARGUMENT', reason, {}, failure);
}

/** Begins the session of a command. */
export function beginFor(command: string, folder: string | undefined): Promise<Handover> {
  return Handover.begin(join(runtimeDir(folder), HANDOFF_SOCKET), basename(command).slice(0, MAX_NAME));
}

async function run(context: Context, operands: readonly string[], options: Options): Promise<void> {
  const all = parseAllWanted(options.allocate ?? []);
  const program = programOf(operands, options);
  const handover = await beginFor(operands[0] ?? '', context.runtimeDir);
  try {
    for (const wanted of all) await provide(handover, context.control, wanted);
    handover.exec(program, options.sandbox !== true);
  } catch (failure) {
    for (const left of await handover.cancel()) context.fail(left);
    throw described(failure, options.sandbox);
  }
}

/** An action that becomes a command, and exits as env(1) does where it cannot. */
export const becoming = (
  work: (context: Context, operands: readonly string[], options: Record<string, unknown>) => Promise<void>,
) =>
  actionOf(async (context, operands, options) => {
    try {
      await work(context, operands, options);
    } catch (failure) {
      const exitCode = failure instanceof VkmemError ? exitCodeOf(failure) : undefined;
      if (exitCode === undefined) throw failure;
      context.fail(failure);
      context.print({ error: errorObject(expected(failure)) }, () => '');
      process.exitCode = exitCode;
    }
  });

export function execCommand(): Command {
  return newCommand('exec', DESCRIPTION, EXAMPLES)
    .summary('run a command with a session, and memory in it')
    .argument('<cmd>', 'the command')
    .argument('[args...]', 'its arguments')
    .option(
      '--allocate <allocation>',
      'make this first: name=frames,size=64M; may be repeated, as all below',
      another,
    )
    .option('--sandbox', 'run it in bubblewrap (bwrap), with nothing else visible')
    .option('--ro <path>', 'show it this file or folder, to read', another)
    .option('--rw <path>', 'to read and write', another)
    .option('--env <variable>', 'NAME=VALUE, or NAME for the value here', another)
    .passThroughOptions()
    .action(becoming((context, operands, options) => run(context, operands, options as Options)));
}
