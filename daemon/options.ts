/**
 * The command line of vkmemd.
 */
import { readFileSync } from 'node:fs';
import { ivshmemDir, runtimeDir } from '@vkmemd/proto';
import { Command, InvalidArgumentError, Option } from 'commander';

export interface Options {
  /** UUID, index or part of the name; undefined: the best device there is. */
  readonly device: string | undefined;
  /** Absolute. */
  readonly runtimeDir: string;
  /** Of the sockets for virtual machines. */
  readonly ivshmemDir: string;
  readonly logLevel: string;
  /** Addresses and ports to serve health and metrics on by TCP, as they were written. */
  readonly adminListen: readonly string[];
  /** Where the policy is, and what of it the command line says. */
  readonly policy: PolicyOptions;
  /** Only looks at the policy, and says so as text or as JSON; undefined: serves. */
  readonly checkConfig: 'text' | 'json' | undefined;
  /** Only says what a unit has to give the daemon for that policy. */
  readonly unitSettings: boolean;
}

export interface PolicyOptions {
  /** A file that takes the place of all others; undefined for those of the standard places. */
  readonly config: string | undefined;
  /** The folder before the standard places. */
  readonly root: string;
  /** Users who may import memory of their own. */
  readonly importers: ReadonlySet<number>;
  /** From how many percent used on a heap is under ELEVATED and under CRITICAL pressure. */
  readonly pressure: { readonly elevated?: number; readonly critical?: number };
}

/** What commander makes of the arguments. */
interface Given {
  readonly adminListen: readonly string[];
  readonly allowImport: readonly number[];
  readonly device?: string;
  readonly runtimeDir?: string;
  readonly config?: string;
  readonly configRoot?: string;
  readonly checkConfig?: boolean;
  readonly unitSettings?: boolean;
  readonly json?: boolean;
  readonly logLevel: string;
  readonly pressureElevated?: number;
  readonly pressureCritical?: number;
  readonly keeper?: boolean;
  readonly keeperMax?: string;
  readonly keeperWatchdog?: string;
  readonly keeperStopTimeout?: string;
}

/** EX_USAGE of sysexits.h: by it a manager knows that starting again is of no use. */
const USAGE = 64;

const HELP = `
Stops on SIGTERM or SIGINT: finishes what runs, releases everything, exits 0. Reads its policy again on SIGHUP; one
with a fault changes nothing.

The policy is what the files in /usr/lib/vkmemd and /etc/vkmemd say, in this order: /usr/lib/vkmemd/*.toml and
conf.d/*.toml there, /etc/vkmemd/vkmemd.toml, /etc/vkmemd/conf.d/*.toml. None of them is needed.

Examples:
  $ vkmemd
  $ vkmemd --check-config
  $ vkmemd --check-config --config new-policy.toml --json
  $ vkmemd --unit-settings > /etc/systemd/system/vkmemd.service.d/50-sized.conf
  $ vkmemd --config policy.toml --runtime-dir /run/user/1000/vkmemd
  $ vkmemd --keeper --keeper-watchdog 30`;

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
      new Option('--log-level <level>', 'what is logged: to the journal, or as JSON on standard output')
        .choices(levels)
        .default('info'),
    )
    .option('--config <file>', 'a policy file, in place of those in /usr/lib/vkmemd and /etc/vkmemd')
    .addOption(
      new Option('--config-root <folder>', 'stands before /usr/lib/vkmemd and /etc/vkmemd').conflicts(
        'config',
      ),
    )
    .option(
      '--check-config',
      'say what the policy is or every fault of it, and exit with 0 or 1; serve nobody',
    )
    .addOption(
      new Option(
        '--unit-settings',
        'print the drop-in for a systemd unit that the policy asks for, and exit; serve nobody',
      ).conflicts('checkConfig'),
    )
    .option('--json', 'with --check-config: print one JSON object')
    .option('--allow-import <uid>', 'a user who may import memory of its own (fds); may be repeated', uid, [])
    .option(
      '--admin-listen <address>',
      'serve health and metrics by TCP too, to anybody on this host: 127.0.0.1:9464, [::1]:9464; may be repeated',
      (text: string, before: readonly string[]) => [...before, text],
      [],
    )
    .option(
      '--pressure-elevated <percent>',
      "of a heap used: from there on its pressure is ELEVATED (the policy's word on it; default: 80)",
      percent,
    )
    .option(
      '--pressure-critical <percent>',
      "and from there on CRITICAL (the policy's word on it; default: 95)",
      percent,
    )
    .option(
      '--keeper',
      'where there is no systemd: start vkmemd as a child, keep its memory while it is restarted',
    )
    .option('--keeper-max <fds>', 'how many fds the keeper keeps at most (default: 16384)')
    .option('--keeper-watchdog <seconds>', 'abort a child that says nothing for so long (default: never)')
    .option('--keeper-stop-timeout <seconds>', 'kill a child that has not stopped by then (default: 90)')
    .addHelpText('after', HELP)
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : USAGE))
    .parse([...argv], { from: 'user' });
  const given = command.opts<Given>();
  const { pressureElevated: elevated, pressureCritical: critical, checkConfig, json } = given;
  if (elevated !== undefined && critical !== undefined && elevated > critical) {
    command.error(`error: --pressure-elevated (${elevated}) is above --pressure-critical (${critical})`);
  }
  // The program vkmemd has begun as the keeper where it is one, and taken these out.
  const { keeper, keeperMax, keeperWatchdog, keeperStopTimeout } = given;
  if (keeper || (keeperMax ?? keeperWatchdog ?? keeperStopTimeout) !== undefined) {
    command.error(
      'error: --keeper and what belongs to it go together, with the program vkmemd, and with nothing that serves nobody',
    );
  }
  if (json && !checkConfig) command.error('error: --json goes with --check-config');
  return {
    device: given.device,
    runtimeDir: runtimeDir(given.runtimeDir),
    ivshmemDir: ivshmemDir(given.runtimeDir),
    logLevel: given.logLevel,
    adminListen: given.adminListen,
    policy: {
      config: given.config,
      root: given.configRoot ?? '/',
      importers: new Set(given.allowImport),
      pressure: { ...(elevated !== undefined && { elevated }), ...(critical !== undefined && { critical }) },
    },
    checkConfig: checkConfig ? (json ? 'json' : 'text') : undefined,
    unitSettings: given.unitSettings === true,
  };
}

/** Collects the user ids of an option that may be repeated. */
function uid(text: string, before: readonly number[]): readonly number[] {
  if (!/^\d{1,10}$/.test(text) || Number(text) > 0xffffffff) {
    throw new InvalidArgumentError('It is a user id, a whole number.');
  }
  return [...before, Number(text)];
}
