/**
 * Diagnosis: a sequence of checks, from the runtime folder to bytes that the device copied.
 *
 * Each check performs the operations of a worker. A check that depends on a failed one is not performed and
 * counts as failed, so that only tested functions are reported as working.
 */
import { randomFillSync } from 'node:crypto';
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Device, type HeapBudget, humanBytes, VkmemError } from '@vkmemd/proto';
import type { Client } from '../client.js';
import { connect } from '../connect.js';
import { findDaemon, type Place } from '../connection/discovery.js';
import type { ControlClient } from '../control.js';
import { type DeviceState, deviceLine } from './device.js';
import { count, short } from './format.js';

/** The result of one check. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  /** What to do about a failure; '' if the check passed. */
  readonly next: string;
}

export interface Diagnosis {
  readonly checks: readonly Check[];
  readonly devices: readonly Device[];
  readonly deviceState: DeviceState;
  /** False if neither socket was reached. A refusal is an answer. */
  readonly answered: boolean;
}

const START = 'Start vkmemd (systemctl start vkmemd), or specify its folder with --runtime-dir.';
const LOG = "Read the daemon's log (journalctl -u vkmemd).";
const ROUND_TRIP_BYTES = 65_536;
const GREETING_MS = 5000;

const UNKNOWN: DeviceState = { budgetSource: null, deviceMemories: null };

/** The result of a check that passed, and the value for the checks that depend on it. */
type Found<T> = readonly [detail: string, value: T];

export async function diagnose(place: Place, control: ControlClient): Promise<Diagnosis> {
  const checks: Check[] = [];
  const unreached = new Set<string>();
  const check = async <T>(
    name: string,
    next: string,
    work: () => Promise<Found<T>>,
  ): Promise<T | undefined> => {
    try {
      const [detail, value] = await work();
      checks.push({ name, ok: true, detail, next: '' });
      return value;
    } catch (failure) {
      if (failure instanceof VkmemError && failure.code === 'UNAVAILABLE') unreached.add(name);
      checks.push({ name, ok: false, ...explain(failure, next) });
      return undefined;
    }
  };

  await check('runtime folder', START, async () => runtimeFolder(dirname(findDaemon(place).handoff)));
  const client = await check('handoff socket', START, () => greet(place));
  try {
    const report = await check('control socket', START, () => askControl(control));
    const devices = report?.devices ?? [];
    const device = await check('device', LOG, async () => oneDevice(devices));
    await check('memory left', 'Raise the limit that is named, or free memory (vkmemctl ls).', async () =>
      memoryLeft(needed(report, 'control socket').heaps),
    );
    await check(
      'mappable memory',
      'See the reason at MAPPABLE below; another driver may support it.',
      async () => mappable(needed(device, 'device')),
    );
    await check('round trip', LOG, () =>
      roundTrip(needed(client, 'handoff socket'), needed(device, 'device')),
    );
    const answered = !unreached.has('handoff socket') || !unreached.has('control socket');
    return { checks, devices, deviceState: report?.deviceState ?? UNKNOWN, answered };
  } finally {
    await client?.close();
  }
}

/** A check was not performed, because one that it depends on failed. */
class NotTried extends Error {}

function needed<T>(value: T | undefined, check: string): T {
  if (value === undefined) throw new NotTried(`not tried: it depends on the check '${check}'`);
  return value;
}

function explain(failure: unknown, next: string): { detail: string; next: string } {
  if (failure instanceof NotTried) return { detail: failure.message, next: 'See above.' };
  if (!(failure instanceof VkmemError)) return { detail: String(failure), next };
  const { code, reason } = failure;
  return {
    detail: `${code}: ${reason || failure.message}`,
    next: code === 'UNAVAILABLE' ? next : failure.next,
  };
}

function runtimeFolder(path: string): Found<undefined> {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw new VkmemError('UNAVAILABLE', `The folder ${path} does not exist.`);
  }
  return [path, undefined];
}

async function greet(place: Place): Promise<Found<Client>> {
  // If the daemon ends during the checks, they report it and do not wait.
  const patience = { timeoutMs: GREETING_MS, reconnectMs: 0 };
  const client = await connect({ ...place, clientName: 'vkmemctl doctor', ...patience });
  const { id, daemonVersion } = client.session;
  return [`vkmemd ${daemonVersion} opened session ${id}`, client];
}

async function askControl(
  control: ControlClient,
): Promise<Found<{ devices: Device[]; heaps: readonly HeapBudget[]; deviceState: DeviceState }>> {
  const { devices, daemonVersion } = await control.devices();
  const { heaps, counts } = await control.budget();
  const budgetSource = heaps[0] ? short('BUDGET_SOURCE_', heaps[0].source) : null;
  const held = `${count(counts.sessions, 'session')}, ${count(counts.allocations, 'allocation')}`;
  const detail = `vkmemd ${daemonVersion} answered; ${held}`;
  return [detail, { devices, heaps, deviceState: { budgetSource, deviceMemories: counts.deviceMemories } }];
}

/** What can still be allocated, and which limit of the host leaves no more. */
function memoryLeft(heaps: readonly HeapBudget[]): Found<undefined> {
  const texts = heaps.map(({ heapIndex, availableBytes, limitedBy }) => {
    const by = limitedBy === '' ? '' : `, limited by ${limitedBy}`;
    return `heap ${heapIndex} has ${humanBytes(availableBytes)}${by}`;
  });
  if (heaps.some(({ availableBytes }) => availableBytes >= ROUND_TRIP_BYTES))
    return [texts.join('; '), undefined];
  throw new VkmemError('BUDGET_EXCEEDED', `${texts.join('; ')}.`);
}

function oneDevice([device]: readonly Device[]): Found<Device> {
  if (!device) throw new NotTried('not tried: the daemon reported no device');
  return [deviceLine(device), device];
}

function mappable(device: Device): Found<undefined> {
  const report = device.kinds.find(({ kind }) => kind === 'KIND_MAPPABLE');
  if (report?.rung !== 'RUNG_VERIFIED') {
    throw new VkmemError(
      'NOT_MAPPABLE',
      report?.reason || 'The daemon could not verify that bytes are transferred through a mapping.',
    );
  }
  return [`verified: ${[report.via, report.reason].filter(Boolean).join('; ')}`, undefined];
}

/** Writes bytes, has the device copy them, and reads the copy. */
async function roundTrip(client: Client, device: Device): Promise<Found<undefined>> {
  const begun = performance.now();
  const source = await client.allocate({ size: ROUND_TRIP_BYTES });
  const target = await client.allocate({ size: ROUND_TRIP_BYTES });
  const written = source.map();
  const read = target.map();
  randomFillSync(written.bytes);
  written.sync();
  await client.transfer({ copy: { from: source, to: target } });
  read.sync();
  const same = Buffer.compare(written.bytes, read.bytes) === 0;
  await Promise.all([source.free(), target.free()]);
  if (!same) throw new Error('the bytes that the device copied differ from the bytes that were written');
  const ms = (performance.now() - begun).toFixed(1);
  return [`${ROUND_TRIP_BYTES} bytes mapped, copied by ${device.name} and read back in ${ms} ms`, undefined];
}
