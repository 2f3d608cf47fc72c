/**
 * The command line of vkmemd. The supervisor parses its own options (supervisor/settings.ts); here they only
 * appear in the help.
 */
import { aboutDir, ivshmemDir, runtimeDir } from '@vkmemd/proto';
import { Command, InvalidArgumentError, Option } from 'commander';
import { EX_USAGE } from './exit-status.js';
import { version } from './version.js';

export interface Options {
  /** UUID, index on the host or part of the name; undefined: the best device. */
  readonly device: string | undefined;
  /** Absolute. */
  readonly runtimeDir: string;
  /** The folder of the sockets for virtual machines, absolute. */
  readonly ivshmemDir: string;
  /** The folder of the description of the device, absolute. */
  readonly aboutDir: string;
  readonly logLevel: string;
  /** TCP addresses with ports to serve health and metrics on, as given. */
  readonly adminListen: readonly string[];
  /** Whether gRPC and HTTP are served, on the control and admin sockets. */
  readonly front: boolean;
  /** Where the policy is read from, and the parts of it that the command line sets. */
  readonly policy: PolicyOptions;
  /** Checks the policy, prints the result as text or as JSON, and exits; undefined: serves. */
  readonly checkConfig: 'text' | 'json' | undefined;
  /** Prints the devices of the host as text or as JSON, and exits. */
  readonly listDevices: 'text' | 'json' | undefined;
  /** Prints the settings that a systemd unit needs for the policy, and exits. */
  readonly unitSettings: boolean;
}

export interface PolicyOptions {
  /** A file that replaces all others; undefined: the files of the standard folders. */
  readonly config: string | undefined;
  /** Prefix of the standard folders. */
  readonly root: string;
  /** Uids of the users who may import memory of their own. */
  readonly importers: ReadonlySet<number>;
  /** Percentage of a heap in use from which its pressure is ELEVATED, and CRITICAL. */
  readonly pressure: { readonly elevated?: number; readonly critical?: number };
}

/** The arguments as commander parses them. */
interface Given {
  readonly adminListen: readonly string[];
  readonly allowImport: readonly number[];
  readonly device?: string;
  readonly front: boolean;
  readonly runtimeDir?: string;
  readonly config?: string;
  readonly configRoot?: string;
  readonly checkConfig?: boolean;
  readonly unitSettings?: boolean;
  readonly listDevices?: boolean;
  readonly json?: boolean;
  readonly logLevel: string;
  readonly pressureElevated?: number;
  readonly pressureCritical?: number;
}

const HELP = `
On SIGTERM or SIGINT it finishes running requests, releases all resources and exits with status 0. On SIGHUP
it reloads its policy; if the new policy has a fault, the policy in force stays.

The policy is read from these files, in this order: /usr/lib/vkmemd/*.toml, /usr/lib/vkmemd/conf.d/*.toml,
/etc/vkmemd/vkmemd.toml, /etc/vkmemd/conf.d/*.toml. All are optional.

Examples:
  $ vkmemd
  $ vkmemd --check-config
  $ vkmemd --list-devices
  $ vkmemd --check-config --config new-policy.toml --json
  $ vkmemd --unit-settings > /etc/systemd/system/vkmemd.service.d/50-sized.conf
  $ vkmemd --config policy.toml --runtime-dir /run/user/1000/vkmemd
  $ vkmemd --supervisor --supervisor-watchdog 30
  $ vkmemd --all --runtime-dir /run/vkmemd`;

function percent(text: string): number {
  const value = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > 100) throw new InvalidArgumentError('Allowed: a whole number from 1 to 100.');
  return value;
}

/**
 * Parses the arguments. With --help or --version it prints and exits with 0; with invalid arguments it prints
 * an error and exits with EX_USAGE.
 */
export function parseOptions(argv: readonly string[]): Options {
  const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];
  const command = new Command('vkmemd')
    .description("Owns a GPU host's Vulkan memory and hands it to other processes.")
    .version(`${version()} (Node.js ${process.versions.node})`)
    .option(
      '--device <which>',
      'UUID (also GPU-UUID), index in PCI order or part of the name (default: discrete, integrated, virtual, then CPU)',
    )
    .option(
      '--runtime-dir <folder>',
      'folder of the sockets (default: $VKMEMD_RUNTIME_DIR, $RUNTIME_DIRECTORY, $XDG_RUNTIME_DIR/vkmemd, /run/vkmemd)',
    )
    .addOption(
      new Option(
        '--log-level <level>',
        'minimum level of the log, which goes to the journal, or as JSON to standard output',
      )
        .choices(levels)
        .default('info'),
    )
    .option('--config <file>', 'policy file, in place of those in /usr/lib/vkmemd and /etc/vkmemd')
    .addOption(
      new Option('--config-root <folder>', 'prefix of /usr/lib/vkmemd and /etc/vkmemd').conflicts('config'),
    )
    .option('--check-config', 'print the policy and exit with 0, or print all of its faults and exit with 1')
    .addOption(
      new Option(
        '--unit-settings',
        'print the drop-in that the policy requires for a systemd unit, and exit',
      ).conflicts('checkConfig'),
    )
    .addOption(
      new Option(
        '--list-devices',
        'print the devices of this host with their indices, UUIDs and PCI addresses, and exit',
      ).conflicts(['checkConfig', 'unitSettings']),
    )
    .option('--json', 'with --check-config and --list-devices: print one JSON object')
    .option('--allow-import <uid>', 'user who may import memory of its own (fds); may be repeated', uid, [])
    .option(
      '--admin-listen <address>',
      'serve health and metrics on TCP to every user of this host: 127.0.0.1:9464, [::1]:9464; may be repeated',
      (text: string, before: readonly string[]) => [...before, text],
      [],
    )
    .option('--no-front', 'serve the handoff socket alone: no control and admin sockets, no gRPC, no HTTP')
    .option(
      '--pressure-elevated <percent>',
      'percentage of a heap in use from which its pressure is ELEVATED (overrides the policy; default: 80)',
      percent,
    )
    .option(
      '--pressure-critical <percent>',
      'percentage of a heap in use from which its pressure is CRITICAL (overrides the policy; default: 95)',
      percent,
    )
    .option(
      '--supervisor',
      'without systemd: run vkmemd as a child, restart it when it ends, and keep its fds open meanwhile',
    )
    .option('--supervisor-max <fds>', 'maximum number of fds that the supervisor stores (default: 16384)')
    .option(
      '--supervisor-watchdog <seconds>',
      'abort a child that does not respond for this time (default: never)',
    )
    .option(
      '--supervisor-stop-timeout <seconds>',
      'kill a child that has not stopped after this time (default: 90)',
    )
    .option(
      '--all',
      'start a daemon with a supervisor for each GPU, in devices/UUID below the runtime folder (implies --supervisor)',
    )
    .option(
      '--with-cpu',
      'with --all: also for software devices, which otherwise serve only where there is no GPU',
    )
    .addOption(new Option('--keeper').hideHelp())
    .addOption(new Option('--keeper-max <fds>').hideHelp())
    .addOption(new Option('--keeper-watchdog <seconds>').hideHelp())
    .addOption(new Option('--keeper-stop-timeout <seconds>').hideHelp())
    .addHelpText('after', HELP)
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : EX_USAGE))
    .parse([...argv], { from: 'user' });
  const given = command.opts<Given>();
  const { pressureElevated: elevated, pressureCritical: critical, checkConfig, json } = given;
  if (elevated !== undefined && critical !== undefined && elevated > critical) {
    command.error(`error: --pressure-elevated (${elevated}) is above --pressure-critical (${critical})`);
  }
  // With --supervisor, bin/vkmemd.js runs the supervisor, which removes its options from the arguments. The
  // old names, --keeper and those that begin with it, are accepted for one release.
  const ofSupervisor = Object.keys(given).filter((name) => /^(supervisor|keeper|all$|withCpu$)/.test(name));
  if (ofSupervisor.length > 0) {
    command.error(
      'error: options --supervisor-* need --supervisor or --all, and --with-cpu needs --all; they and --all cannot be used with an option that prints and exits',
    );
  }
  if (!given.front && given.adminListen.length > 0) {
    command.error('error: --admin-listen needs the front: it cannot be used with --no-front');
  }
  if (json && !checkConfig && !given.listDevices) {
    command.error('error: --json needs --check-config or --list-devices');
  }
  return {
    device: given.device,
    runtimeDir: runtimeDir(given.runtimeDir),
    ivshmemDir: ivshmemDir(given.runtimeDir),
    aboutDir: aboutDir(given.runtimeDir),
    logLevel: given.logLevel,
    adminListen: given.adminListen,
    front: given.front,
    policy: {
      config: given.config,
      root: given.configRoot ?? '/',
      importers: new Set(given.allowImport),
      pressure: { ...(elevated !== undefined && { elevated }), ...(critical !== undefined && { critical }) },
    },
    checkConfig: checkConfig ? (json ? 'json' : 'text') : undefined,
    unitSettings: given.unitSettings === true,
    listDevices: given.listDevices ? (json ? 'json' : 'text') : undefined,
  };
}

/** Collects the user ids of a repeatable option. */
function uid(text: string, before: readonly number[]): readonly number[] {
  if (!/^\d{1,10}$/.test(text) || Number(text) > 0xffffffff) {
    throw new InvalidArgumentError('Allowed: a numeric user id from 0 to 4294967295.');
  }
  return [...before, Number(text)];
}
