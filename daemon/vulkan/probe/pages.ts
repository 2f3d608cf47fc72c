/**
 * Measures whether memory that is dedicated to a transfer buffer has larger pages: see page-measurement.ts.
 *
 * A round allocates and frees plain memory, then dedicated memory. The first round is not counted: drivers set up what
 * later calls use. No byte of the memory is written. A CPU's driver is not measured, since its pages are the host's.
 */
import { uuidText, VkmemError } from '@vkmemd/proto';
import { native } from '../errors.js';
import { supportForBuffers } from '../external-support.js';
import { HandleType } from '../flags.js';
import type { DeviceInfo, NativeResource } from '../native.js';
import {
  decided,
  notMeasured,
  type PageMeasurement,
  type PageMeasurementStore,
} from '../page-measurement.js';
import { sized, TRANSFER } from '../resource.js';
import type { ProbeSubject } from './sample.js';

const MEASURED_BYTES = 256n << 20n;
/** Rounds that count, at most; and the time after which no other round begins, in milliseconds. */
const [MAX_ROUNDS, MAX_MS] = [3, 50];

/** Of a device and driver. The version is there for drivers whose UUID stays when they are upgraded. */
const keyOf = ({ deviceUuid, driverUuid, driverVersion }: DeviceInfo): string =>
  `${uuidText(deviceUuid)} ${uuidText(driverUuid)} ${driverVersion}`;

/** @throws VkmemError DEVICE_LOST. */
export async function measurePages(
  subject: ProbeSubject,
  store: PageMeasurementStore | undefined,
): Promise<PageMeasurement> {
  const { info, types, dedicatedOnly } = subject;
  if (info.type === 'cpu') return notMeasured('the pages of a CPU device are those of the host.');
  const refusal = supportForBuffers(info, HandleType.OPAQUE_FD).refusal;
  if (refusal || types.opaqueFd === undefined) return notMeasured('OPAQUE_FD is UNSUPPORTED.');
  if ((dedicatedOnly & HandleType.OPAQUE_FD) !== 0)
    return notMeasured('the driver requires dedicated memory.');
  const key = keyOf(info);
  const before = store?.read(key);
  if (before) return decided(before, true);
  try {
    const measured = await measure(subject, types.opaqueFd);
    store?.write(key, measured);
    return decided(measured, false);
  } catch (failure) {
    if (!(failure instanceof VkmemError) || failure.code === 'DEVICE_LOST') throw failure;
    return notMeasured(`256 MiB could not be allocated: ${failure.reason}`);
  }
}

async function measure({ device }: ProbeSubject, type: number) {
  const size = MEASURED_BYTES;
  const buffer = sized(TRANSFER, size);
  const needs = await native(device.requirements(buffer, HandleType.OPAQUE_FD));
  const once = async (bytes: bigint, dedicated?: NativeResource): Promise<bigint> => {
    const began = process.hrtime.bigint();
    const memory = await native(device.allocate(bytes, type, HandleType.OPAQUE_FD, dedicated));
    await native(memory.free());
    return process.hrtime.bigint() - began;
  };
  const plain: bigint[] = [];
  const dedicated: bigint[] = [];
  const began = performance.now();
  for (let round = 0; round <= MAX_ROUNDS; round += 1) {
    plain.push(await once(size));
    dedicated.push(await once(needs.size, buffer));
    if (performance.now() - began > MAX_MS) break;
  }
  return { size, plain: median(plain), dedicated: median(dedicated) };
}

/** Without the first one, if there are others. */
function median(all: readonly bigint[]): bigint {
  const counted = (all.length > 1 ? all.slice(1) : [...all]).sort((a, b) => Number(a - b));
  return counted[counted.length >> 1] ?? 0n;
}
