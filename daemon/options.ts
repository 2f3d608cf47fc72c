/**
 * The command line of vkmemd.
 */
import { readFileSync } from 'node:fs';
import { runtimeDir } from '@vkmemd/proto';
import { Command, InvalidArgumentError, Option } from 'commander';

export interface Options {
  /** UUID, index or part of the name; undefined: the best device there is. */
  readonly device: string | undefined;
  /** Absolute. */
  readonly runtimeDir: string;
  readonly logLevel: string;
  /** Users who may import memory of their own. */
  readonly importers: ReadonlySet<number>;
  /** From how many percent used on a heap is under ELEVATED and under CRITICAL pressure. */
  readonly pressure: { readonly elevated: number; readonly critical: number };
}

/** What commander makes of the arguments. */
interface Given {
  readonly allowImport: readonly number[];
  readonly device?: string;
  readonly runtimeDir?: string;
  readonly logLevel: string;
  readonly pressureElevated: number;
  readonly pressureCritical: number;
}

function percent(text: string): number {
  const value = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > 100) throw new InvalidArgumentError('It is not a whole number from 1 to 100.');
  return value;
}

/** The daemon's version, from its package. */
export function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** Reads the arguments; prints help, the version or what is wrong with them, and exits, where that is asked for. */
export function parseOptions(argv: readonly string[]): Options {
  const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];
  const command = new Command('vkmemd')
    .description("Owns a GPU host's Vulkan memory and hands it to other processes.")
    .version(version())
    .option(
      '--device <which>',
      'UUID, index or part of the name (default: discrete, integrated, virtual, then CPU)',
    )
    .option(
      '--runtime-dir <folder>',
      'where the sockets are made (default: $RUNTIME_DIRECTORY, $XDG_RUNTIME_DIR/vkmemd, /run/vkmemd)',
    )
    .addOption(
      new Option('--log-level <level>', 'what is logged on standard error').choices(levels).default('info'),
    )
    .option('--allow-import <uid>', 'a user who may import memory of its own (fds); may be repeated', uid, [])
    .option(
      '--pressure-elevated <percent>',
      'of a heap used: from there on its pressure is ELEVATED',
      percent,
      80,
    )
    .option('--pressure-critical <percent>', 'and from there on CRITICAL', percent, 95)
    .addHelpText('after', '\nStops on SIGTERM or SIGINT: finishes what runs, releases everything, exits 0.')
    .parse([...argv], { from: 'user' });
  const given = command.opts<Given>();
  const pressure = { elevated: given.pressureElevated, critical: given.pressureCritical };
  if (pressure.elevated > pressure.critical) {
    const { elevated, critical } = pressure;
    command.error(`error: --pressure-elevated (${elevated}) is above --pressure-critical (${critical})`);
  }
  return {
    device: given.device,
    runtimeDir: runtimeDir(given.runtimeDir),
    logLevel: given.logLevel,
    importers: new Set(given.allowImport),
    pressure,
  };
}

/** Collects the user ids of an option that may be repeated. */
function uid(text: string, before: readonly number[]): readonly number[] {
  if (!/^\d{1,10}$/.test(text) || Number(text) > 0xffffffff) {
    throw new InvalidArgumentError('It is a user id, a whole number.');
  }
  return [...before, Number(text)];
}
