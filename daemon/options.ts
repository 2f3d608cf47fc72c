/**
 * The command line of vkmemd.
 */
import { readFileSync } from 'node:fs';
import { runtimeDir } from '@vkmemd/proto';
import { Command, Option } from 'commander';

export interface Options {
  /** UUID, index or part of the name; undefined: the best device there is. */
  readonly device: string | undefined;
  /** Absolute. */
  readonly runtimeDir: string;
  readonly logLevel: string;
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
    .addHelpText('after', '\nStops on SIGTERM or SIGINT: finishes what runs, releases everything, exits 0.')
    .parse([...argv], { from: 'user' });
  const given = command.opts<{ device?: string; runtimeDir?: string; logLevel: string }>();
  return { device: given.device, runtimeDir: runtimeDir(given.runtimeDir), logLevel: given.logLevel };
}
