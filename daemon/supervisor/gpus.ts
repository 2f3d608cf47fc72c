/**
 * The GPUs that `vkmemd --all` starts daemons for. A process of its own lists them, because a driver keeps device
 * nodes open, and threads running, in a process that has loaded it.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { SettingsError } from './settings.js';
import { commandOf } from './supervise.js';

/** A device of `vkmemd --list-devices --json`, as far as it is used here. */
export interface Gpu {
  readonly uuid: string;
  readonly index: number;
  readonly name: string;
  readonly type: string;
}

/** A driver that opens large GPUs, one after the other, takes seconds for each. */
const LIST_MS = 170_000;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** No device was found; what to do was printed. */
export class NoDevices extends Error {}

/**
 * @throws NoDevices if there is none, or the list fails: its error was printed then.
 */
export async function listGpus(withCpu: boolean): Promise<readonly Gpu[]> {
  const { file, args } = commandOf(['--list-devices', '--json']);
  let text: string;
  try {
    const listed = await promisify(execFile)(file, args, { timeout: LIST_MS });
    text = listed.stdout;
  } catch (failure) {
    const { stderr = '', message } = failure as Error & { stderr?: string };
    throw new NoDevices(stderr.trim() || `vkmemd: the devices could not be listed: ${message}`);
  }
  const { devices } = JSON.parse(text) as { devices: readonly Gpu[] };
  return chooseGpus(devices, withCpu);
}

/**
 * All but those of type CPU, which are chosen only if there is no other, or `withCpu` is set. Of the devices of two
 * drivers for one GPU, which have one index, the first is chosen.
 */
export function chooseGpus(devices: readonly Gpu[], withCpu: boolean): readonly Gpu[] {
  const gpus = devices.filter(({ type }) => type !== 'cpu');
  const wanted = withCpu || gpus.length === 0 ? devices : gpus;
  const chosen = wanted.filter(
    ({ uuid, index }, at) =>
      UUID.test(uuid) && wanted.findIndex((other) => other.index === index || other.uuid === uuid) === at,
  );
  if (chosen.length === 0) throw new NoDevices('vkmemd: UNAVAILABLE: No device was found.');
  return chosen;
}

/** Options that are of one daemon, and cannot be the same for several, with what to do instead. */
const OF_ONE: readonly (readonly [option: string, next: string])[] = [
  ['--device', 'it starts a daemon for each device: omit it, or start that device alone, without --all'],
  [
    '--admin-listen',
    'daemons cannot share a port: use the admin socket of each, or start each without --all',
  ],
];

/**
 * The arguments that all daemons have: without the runtime folder, which each has below it.
 * @throws SettingsError if one is of one daemon.
 */
export function commonArguments(args: readonly string[]): string[] {
  const common: string[] = [];
  for (let at = 0; at < args.length; at += 1) {
    const argument = args[at] ?? '';
    const [, name = ''] = /^(--[^=]+)/s.exec(argument) ?? [];
    const [option, next] = OF_ONE.find(([option]) => option === name) ?? [];
    if (option) throw new SettingsError(`${option} cannot be used with --all: ${next}.`);
    if (name !== '--runtime-dir') common.push(argument);
    else if (!argument.includes('=')) at += 1;
  }
  return common;
}
