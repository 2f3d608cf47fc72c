/**
 * `vkmemd --supervisor` and `vkmemd --all`: the composition root of the supervisor of one daemon, and of those of
 * several. It loads neither the device nor the planes nor the core, so that it needs little memory and few things can
 * fail.
 */
import { join } from 'node:path';
import {
  DEVICES_FOLDER,
  DisposableStack,
  ivshmemDir,
  requireProc,
  setDumpable,
  systemFault,
  VkmemError,
} from '@vkmemd/proto/kernel';
import { pino } from 'pino';
import { EX_CONFIG, EX_USAGE, EXIT_FAILURE } from '../exit-status.js';
import { loggedError } from '../systemd/logged-error.js';
import { StandardOutput } from '../systemd/standard-output.js';
import { Fleet } from './fleet.js';
import { commonArguments, listGpus, NoDevices } from './gpus.js';
import { inheritedFds, Manager } from './manager.js';
import { parseSettings, replaceOldNames, requireFds, SettingsError, sharedMax } from './settings.js';
import { supervise } from './supervise.js';
import type { Supervisor } from './supervisor.js';

type Parsed = ReturnType<typeof parseSettings>;

/** Runs one daemon. @returns the exit status. */
async function runOne(
  parsed: Parsed,
  manager: Manager,
  log: pino.Logger,
  stack: DisposableStack,
): Promise<number> {
  const { settings: given, rest: args, runtimeFolder, ivshmemFolder } = parsed;
  requireFds(given);
  const settings = { ...given, watchdogMs: given.watchdogMs ?? manager.watchdogMs };
  const one = { args, runtimeFolder, ivshmemFolder, settings, reports: manager, log };
  const { fds, it } = supervise(one, stack);
  for (const { name, fd } of inheritedFds(process.env)) fds.add(name, [fd]);
  onSignals({ stop: () => it.stop(), each: (work) => work(it) });
  return await it.run();
}

/** Runs a daemon for each GPU. @returns the exit status. */
async function runAll(
  parsed: Parsed,
  manager: Manager,
  log: pino.Logger,
  stack: DisposableStack,
): Promise<number> {
  const { settings: given, isMaxGiven, withCpu, rest, runtimeFolder } = parsed;
  const common = commonArguments(rest);
  if (process.env.LISTEN_PID === String(process.pid) && process.env.LISTEN_FDS !== undefined) {
    const reason = 'LISTEN_FDS: sockets of a service manager are of one daemon, and --all starts several.';
    const next = 'Start vkmemd@UUID.service for each device, or --all without socket units.';
    throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'LISTEN_FDS' }, undefined, next);
  }
  const gpus = await listGpus(withCpu);
  const max = isMaxGiven ? given.max : sharedMax(gpus.length);
  const settings = { ...given, max, watchdogMs: given.watchdogMs ?? manager.watchdogMs };
  requireFds(settings, gpus.length);
  const fleet = stack.use(
    new Fleet(
      gpus.map(({ uuid }) => uuid),
      manager,
    ),
  );
  log.info(
    { devices: gpus.map(({ index, uuid, name }) => ({ index, uuid, name })) },
    'a daemon for each device',
  );
  for (const { uuid } of gpus) {
    const folder = join(runtimeFolder, DEVICES_FOLDER, uuid);
    const { it } = supervise(
      {
        args: [...common, '--device', uuid, '--runtime-dir', folder],
        runtimeFolder: folder,
        ivshmemFolder: ivshmemDir(folder),
        settings,
        reports: fleet.reportsOf(uuid),
        log: log.child({ device: uuid }),
        isLast: (status) => fleet.isLast(uuid, status),
      },
      stack,
    );
    fleet.add(uuid, it);
  }
  onSignals(fleet);
  return await fleet.run();
}

/** One supervisor, or several. */
interface Running {
  stop(): void;
  each(work: (supervisor: Supervisor) => void): void;
}

function onSignals(running: Running): void {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => running.stop());
  process.on('SIGHUP', () => running.each((supervisor) => supervisor.signal('SIGHUP')));
  process.on('SIGUSR2', () => running.each((supervisor) => supervisor.restart()));
}

/** @returns the exit status. */
async function run(args: readonly string[], log: pino.Logger): Promise<number> {
  const { argv, warning } = replaceOldNames(args);
  if (warning) process.stderr.write(`vkmemd: ${warning}\n`);
  const parsed = parseSettings(argv);
  requireProc();
  using stack = new DisposableStack();
  const manager = stack.use(
    new Manager(process.env, (err) =>
      log.warn({ err }, 'the service manager did not receive a notification'),
    ),
  );
  return await (parsed.all ? runAll : runOne)(parsed, manager, log, stack);
}

/** Runs until the last child has ended, and exits the process. */
async function main(args: readonly string[]): Promise<void> {
  // It holds the fds of all memory: another process of its user may not open them.
  setDumpable(false);
  const output = new StandardOutput();
  const log = pino({ name: 'vkmemd-supervisor', serializers: { err: loggedError } }, output);
  let status = EXIT_FAILURE;
  try {
    status = await run(args, log);
    log.info({ status }, 'the supervisor exits');
  } catch (failure) {
    if (failure instanceof SettingsError) {
      process.stderr.write(`vkmemd: ${failure.message}\n`);
      status = EX_USAGE;
    } else if (failure instanceof NoDevices) {
      process.stderr.write(`${failure.message}\n`);
    } else {
      const fault = systemFault(failure) ?? (failure instanceof VkmemError ? failure : undefined);
      // An invalid argument is a variable of the service manager.
      if (fault?.code === 'INVALID_ARGUMENT') status = EX_CONFIG;
      if (fault) process.stderr.write(`vkmemd: ${fault.code}: ${fault.reason} ${fault.next}\n`);
      else log.fatal({ err: failure }, 'the supervisor failed');
    }
  }
  await output[Symbol.asyncDispose]();
  process.exit(status);
}

// Not awaited: a bundle is a script, which has no top-level await. Its rejection ends the process.
void main(process.argv.slice(2));
