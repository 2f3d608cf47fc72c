/**
 * vkmemctl devices: lists the daemons of this host with their devices, and asks each whether it is ready.
 */
import { dirname, join } from 'node:path';
import { HANDOFF_SOCKET, type VkmemError } from '@vkmemd/proto';
import type { Command } from 'commander';
import { findDaemon, findDaemons, type Place } from '../connection/discovery.js';
import type { FoundDaemon } from '../connection/found-daemons.js';
import { type DaemonStatus, statusOverHandoff } from '../status.js';
import { actionOf, errorObject, expected, newCommand } from './command.js';
import { type Column, table } from './format.js';

const DESCRIPTION = `List the daemons of this host: the index, the UUID, the name and the PCI address of each
device, the daemon's version, whether it is ready, and its runtime folder. --device of all commands takes the
index, the UUID or a part of the name.

Indices are in the order of PCI addresses, as those of nvidia-smi; CUDA_VISIBLE_DEVICES does not change them.
Every daemon is asked, so systemd starts one that only its sockets wait for. One that does not answer within 3
seconds is listed as such. Exit code 69: there is no daemon.`;

const COLUMNS: readonly Column[] = [
  { heading: 'INDEX', right: true },
  { heading: 'UUID' },
  { heading: 'NAME' },
  { heading: 'PCI ADDRESS' },
  { heading: 'VERSION' },
  { heading: 'STATE' },
  { heading: 'RUNTIME FOLDER' },
];

const ANSWER_MS = 3000;

/** What a daemon answered, or why it did not. */
type Answer = { readonly status: DaemonStatus } | { readonly failure: VkmemError };

async function ask({ runtimeDir }: FoundDaemon, { expectUid }: Place): Promise<Answer> {
  try {
    const handoffSocket = join(runtimeDir, HANDOFF_SOCKET);
    return { status: await statusOverHandoff({ handoffSocket, expectUid }, ANSWER_MS) };
  } catch (failure) {
    return { failure: expected(failure) };
  }
}

function objectOf({ runtimeDir, uuid, device }: FoundDaemon, answer: Answer): object {
  const status = 'status' in answer ? answer.status : undefined;
  return {
    index: device?.index ?? null,
    uuid,
    name: device?.name ?? null,
    type: device?.type ?? null,
    pciAddress: device?.pciAddress ?? null,
    runtimeDir,
    answers: status !== undefined,
    version: status?.daemonVersion ?? device?.daemonVersion ?? null,
    ready: status?.ready ?? null,
    reasons: status?.reasons.map(({ code, message, next }) => ({ code, message, next })) ?? [],
    error: 'failure' in answer ? errorObject(answer.failure) : null,
  };
}

function stateOf(answer: Answer): string {
  if ('failure' in answer) return answer.failure.code === 'UNAVAILABLE' ? 'no answer' : answer.failure.code;
  const { ready, reasons } = answer.status;
  return ready ? 'ready' : `not ready: ${reasons.map(({ code }) => code).join(', ')}`;
}

function rowOf({ runtimeDir, uuid, device }: FoundDaemon, answer: Answer): string[] {
  const version = 'status' in answer ? answer.status.daemonVersion : device?.daemonVersion;
  return [
    device ? String(device.index) : '-',
    uuid ?? '-',
    device?.name ?? '-',
    device?.pciAddress ?? '-',
    version ?? '-',
    stateOf(answer),
    runtimeDir,
  ];
}

/** @throws VkmemError UNAVAILABLE if there is none. */
async function daemonsOf(place: Place): Promise<FoundDaemon[]> {
  const all = findDaemons(place);
  if (all.length > 0 && place.device === undefined) return all;
  const folder = dirname(findDaemon(place).handoff);
  const chosen = all.filter(({ runtimeDir }) => runtimeDir === folder);
  // A folder that is named and has no daemon: the failure to connect says why.
  if (chosen.length === 0) await statusOverHandoff(place, ANSWER_MS);
  return chosen;
}

export function devicesCommand(): Command {
  return newCommand('devices', DESCRIPTION, ['devices', 'devices --json | jq .devices'])
    .summary('list the daemons of this host with their devices')
    .action(
      actionOf(async ({ place, print }) => {
        const daemons = await daemonsOf(place);
        const answers = await Promise.all(daemons.map((daemon) => ask(daemon, place)));
        // A daemon that was started by the question has described its device meanwhile.
        const latest = findDaemons(place);
        const asked = daemons.map((daemon, at) => ({
          daemon: latest.find(({ runtimeDir }) => runtimeDir === daemon.runtimeDir) ?? daemon,
          answer: answers[at] as Answer,
        }));
        print({ devices: asked.map(({ daemon, answer }) => objectOf(daemon, answer)) }, () =>
          table(
            COLUMNS,
            asked.map(({ daemon, answer }) => rowOf(daemon, answer)),
          ),
        );
      }),
    );
}
