/**
 * vkmemctl exec: opens a session, creates allocations, and replaces itself by a command that inherits both.
 *
 * The command runs in the same process: exit code, signals and terminal are the command's, and the session
 * ends with it. A failure before that frees the allocations that were created, and exits like env(1): 127 if
 * the command does not exist, 126 if it cannot be executed, otherwise like all commands of vkmemctl.
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { type Program, VkmemError } from '@vkmemd/proto';
import type { Command } from 'commander';
import { findDaemon, type Place } from '../connection/discovery.js';
import { Handover } from '../connection/handover.js';
import type { ControlClient } from '../control.js';
import { allocateOrFind, hasCode, requireFit } from '../request/if-exists.js';
import { parseAllWanted, type Wanted } from './allocate-option.js';
import { actionOf, type Context, errorObject, expected, newCommand } from './command.js';
import { requireSandbox, sandboxed } from './sandbox.js';

const DESCRIPTION = `Run CMD with a session of the daemon that CMD inherits, and with memory that was
allocated for it.

CMD inherits the connected socket as the fd $VKMEM_SESSION_FD, which connect() of the client library uses
without a path. $VKMEM_ALLOCATIONS has the ids of its allocations, as a JSON object. CMD has standard input,
output and error, and no other fds. It replaces vkmemctl: it is the same process, receives signals directly,
and its exit code is that of the command. The session ends with that process, even if other processes have the
fd, and when the client library that uses it is closed: use it in one program, CMD or a program that CMD
starts. If the daemon restarts, CMD keeps its mappings, and the client library reconnects to
$VKMEM_SESSION_PATH. In a sandbox, which has no access to that path, it does not reconnect.

ALLOCATION is a list of name= and size=, and optionally kind= (MAPPABLE by default; several as
MAPPABLE+OPAQUE_FD), lifetime= (named or session), sharing= (shared, one-writer or exclusive), publishable,
dedicated= (auto, never or always, as of 'alloc'), the hints of 'alloc' (power-of-two, align=, prefault,
huge-pages=, reopenable), and if-exists=claim, which uses an existing allocation of the name if it fits. With
it, name=UID/NAME is memory of another user, which the policy must let CMD claim (claim_from), and which is
not allocated. A named allocation exists until it is freed, also after the end of CMD. With lifetime=session
it ends with the session, and its name is only a label for CMD.

With --sandbox, CMD has no network, and sees no other processes and no files except the system's programs and
libraries (/usr), an empty /tmp, and the paths of --ro and --rw. It ends with the process that started it. A
signal that ends bubblewrap (for example ^C) ends CMD at once.

Not passed on to CMD: signals that vkmemctl was started with as ignored have their default action, and the
soft limit of open files equals the hard limit.`;

const EXAMPLES = [
  'exec --allocate name=frames,size=64M -- node worker.mjs',
  'exec --allocate name=scratch,size=1G,lifetime=session -- python3 worker.py --fast',
  'exec --allocate name=frames,size=64M,if-exists=claim -- sh -c \'echo "$VKMEM_ALLOCATIONS"\'',
  'exec --sandbox --ro ./worker --env MODE=test --allocate name=frames,size=64M -- node ./worker/main.mjs',
];

const EXIT_CANNOT_RUN = 126;
const EXIT_NOT_FOUND = 127;
/** In UTF-16 units. Each is at most 3 bytes of UTF-8, and the name of a client has at most 128 bytes. */
const MAX_NAME = 42;
const COMMAND_LINE = '/proc/self/cmdline';

interface Options {
  readonly allocate?: string[];
  readonly sandbox?: boolean;
  readonly ro?: string[];
  readonly rw?: string[];
  readonly env?: string[];
}

/** Collects the values of an option that may be repeated. */
export const another = (word: string, before: readonly string[] = []): string[] => [...before, word];

/**
 * The last arguments of this process as bytes, because they need not be UTF-8. As text if the bytes are
 * unknown.
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
  throw new VkmemError('INVALID_ARGUMENT', '--ro, --rw and --env require --sandbox.', { field: 'sandbox' });
}

/** Creates an allocation for the command, or adds the existing one. */
export async function provide(
  handover: Handover,
  control: ControlClient,
  { label, request, orExisting, foreign }: Wanted,
): Promise<void> {
  const allocate = () => handover.allocate(label, request);
  if (!orExisting) {
    await allocate().catch((failure) => {
      if (!hasCode(failure, 'NAME_TAKEN')) throw failure;
      const reason = `${failure.reason} Add if-exists=claim to use it.`;
      throw new VkmemError('NAME_TAKEN', reason, failure.metadata, failure);
    });
    return;
  }
  const find = async () => {
    const existing = await control.get({ name: label });
    requireFit({ ...request, name: label }, existing);
    handover.addAllocation(label, existing.id);
    return existing;
  };
  if (foreign) await find();
  else await allocateOrFind(allocate, find);
}

/** The exit code for a command that could not be executed; undefined for any other failure. */
function exitCodeOf({ code, metadata }: VkmemError): number | undefined {
  if (code !== 'INVALID_ARGUMENT' || metadata.errno === undefined || metadata.syscall === 'connect')
    return undefined;
  return metadata.errno === 'ENOENT' ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}

/** Opens the session for a command. */
export async function beginFor(command: string, place: Place): Promise<Handover> {
  return Handover.begin(findDaemon(place).handoff, basename(command).slice(0, MAX_NAME), place.expectUid);
}

async function run(context: Context, operands: readonly string[], options: Options): Promise<void> {
  const all = parseAllWanted(options.allocate ?? []);
  const program = programOf(operands, options);
  if (options.sandbox) requireSandbox(program);
  const handover = await beginFor(operands[0] ?? '', context.place);
  try {
    for (const wanted of all) await provide(handover, context.control, wanted);
    handover.exec(program, options.sandbox !== true);
  } catch (failure) {
    for (const left of await handover.cancel()) context.fail(left);
    throw failure;
  }
}

/** An action that replaces this program by a command, and exits like env(1) if that fails. */
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
    .summary('run a command with a session and memory')
    .argument('<cmd>', 'the command')
    .argument('[args...]', 'its arguments')
    .option(
      '--allocate <allocation>',
      'create this allocation first: name=frames,size=64M; may be repeated, like the options below',
      another,
    )
    .option('--sandbox', 'run the command in a sandbox (bubblewrap)')
    .option('--ro <path>', 'show this file or folder in the sandbox, read-only', another)
    .option('--rw <path>', 'show this file or folder in the sandbox, writable', another)
    .option('--env <variable>', 'set NAME=VALUE in the sandbox, or NAME to the current value', another)
    .passThroughOptions()
    .action(becoming((context, operands, options) => run(context, operands, options as Options)));
}
