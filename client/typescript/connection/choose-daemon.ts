/**
 * Which of the daemons of a folder a client means by `device`.
 *
 * Tried in this order: the whole UUID (with or without dashes, also as nvidia-smi writes it, `GPU-...`); the index
 * on the host; the whole name; the first four or more digits of the UUID, or a part of the name (in any case). A
 * number of one or two digits is an index only: otherwise 2 would be a part of the name H200 on a host without an
 * index 2. Indices and names are known of daemons that describe their device.
 */
import { uuidDigits, VkmemError } from '@vkmemd/proto';
import type { FoundDaemon } from './found-daemons.js';

const MIN_DIGITS = 4;
const NEXT = 'Choose one by its UUID, index or name (`device`, --device), or by its folder (--runtime-dir).';

/**
 * The text of the option; undefined if none is given.
 * @throws VkmemError INVALID_ARGUMENT if it is neither a text nor an index.
 */
export function deviceWanted(device: unknown): string | undefined {
  if (device === undefined || typeof device === 'string') return device?.trim() || undefined;
  if (Number.isSafeInteger(device) && (device as number) >= 0) return String(device);
  const reason = `device: ${String(device)} is neither a text nor an index from 0.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'device' });
}

/**
 * @param wanted Default: the only one.
 * @returns undefined if none matches.
 * @throws VkmemError INVALID_ARGUMENT if several match.
 */
export function chooseDaemon(
  folder: string,
  daemons: readonly FoundDaemon[],
  wanted: string | undefined,
): FoundDaemon | undefined {
  const fitting = wanted === undefined ? daemons : matches(daemons, wanted);
  if (fitting.length <= 1) return fitting[0];
  const what =
    wanted === undefined
      ? `${folder} has daemons of several devices`
      : `'${wanted}' matches several devices of ${folder}`;
  const reason = `device: ${what}: ${fitting.map(daemonText).join('; ')}.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'device' }, undefined, NEXT);
}

/** One line: index, name, UUID and folder, as far as they are known. */
export function daemonText({ runtimeDir, uuid, device }: FoundDaemon): string {
  const about = device ? `${device.index}: ${device.name}` : 'not started';
  return `${about} (${uuid ?? 'UUID unknown'}, ${runtimeDir})`;
}

function matches(daemons: readonly FoundDaemon[], wanted: string): readonly FoundDaemon[] {
  const digits = uuidDigits(wanted);
  const name = wanted.toLowerCase();
  const isNumber = /^\d{1,5}$/.test(wanted);
  const isIndexOnly = isNumber && wanted.length <= 2;
  const rules: ((daemon: FoundDaemon) => boolean)[] = [
    ({ uuid }) => uuid !== null && uuidDigits(uuid) === digits,
    ({ device }) => isNumber && device?.index === Number(wanted),
    ({ device }) => device?.name.toLowerCase() === name,
    ({ uuid, device }) =>
      !isIndexOnly &&
      ((digits.length >= MIN_DIGITS && uuid !== null && uuidDigits(uuid).startsWith(digits)) ||
        device?.name.toLowerCase().includes(name) === true),
  ];
  for (const rule of rules) {
    const fitting = daemons.filter(rule);
    if (fitting.length > 0) return fitting;
  }
  return [];
}
