/**
 * Measures whether memory that is dedicated to a transfer buffer has larger pages: see page-measurement.ts.
 *
 * A round allocates and frees plain memory and dedicated memory, in alternating order; the fastest of each count. A
 * small round before, which does not count, lets the driver set up what later calls use. No byte of the memory is
 * written. A CPU's driver is not measured, since its pages are the host's.
 */
import { uuidText, VkmemError } from '@vkmemd/proto';
import { native } from '../errors.js';
import { supportForBuffers } from '../external-support.js';
import { HandleType } from '../flags.js';
import type { DeviceInfo } from '../native.js';
import {
  decided,
  type MeasuredPages,
  notMeasured,
  type PageMeasurement,
  type PageMeasurementStore,
} from '../page-measurement.js';
import { sized, TRANSFER } from '../resource.js';
import type { ProbeSubject } from './sample.js';

const [FIRST_BYTES, MEASURED_BYTES] = [16n << 20n, 256n << 20n];
/** Rounds, at most; and the milliseconds that all of them may take, one in any case. */
const [MAX_ROUNDS, MAX_MS] = [3, 80];

/**
 * Of a device and driver, and of this way to measure. The version is there for drivers whose UUID stays when they are
 * upgraded.
 */
const keyOf = ({ deviceUuid, driverUuid, driverVersion }: DeviceInfo): string =>
  `1 ${uuidText(deviceUuid)} ${uuidText(driverUuid)} ${driverVersion}`;

/** @throws VkmemError DEVICE_LOST. */
export async function measurePages(
  subject: ProbeSubject,
  store: PageMeasurementStore | undefined,
): Promise<PageMeasurement> {
  const { info, types, dedicatedOnly } = subject;
  const type = types.opaqueFd;
  if (info.type === 'cpu') return notMeasured('the pages of a CPU device are those of the host.');
  const refusal = supportForBuffers(info, HandleType.OPAQUE_FD).refusal;
  if (refusal || type === undefined) return notMeasured('OPAQUE_FD is UNSUPPORTED.');
  if ((dedicatedOnly & HandleType.OPAQUE_FD) !== 0)
    return notMeasured('the driver requires dedicated memory.');
  const key = keyOf(info);
  const before = store?.read(key);
  if (before?.size === MEASURED_BYTES) return decided(before, type, true);
  try {
    const measured = await measure(subject, type);
    store?.write(key, measured);
    return decided(measured, type, false);
  } catch (failure) {
    if (!(failure instanceof VkmemError) || failure.code === 'DEVICE_LOST') throw failure;
    return notMeasured(`256 MiB could not be allocated: ${failure.reason}`);
  }
}

async function measure({ device }: ProbeSubject, type: number): Promise<MeasuredPages> {
  const once = async (bytes: bigint, dedicated: boolean): Promise<bigint> => {
    const buffer = dedicated ? sized(TRANSFER, bytes) : undefined;
    const size = buffer ? (await native(device.requirements(buffer, HandleType.OPAQUE_FD))).size : bytes;
    const began = process.hrtime.bigint();
    const memory = await native(device.allocate(size, type, HandleType.OPAQUE_FD, buffer));
    await native(memory.free());
    return process.hrtime.bigint() - began;
  };
  for (const dedicated of [false, true]) await once(FIRST_BYTES, dedicated);
  const fastest: { plain?: bigint; dedicated?: bigint } = {};
  const began = performance.now();
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    for (const what of round % 2 === 0
      ? (['plain', 'dedicated'] as const)
      : (['dedicated', 'plain'] as const)) {
      const took = await once(MEASURED_BYTES, what === 'dedicated');
      const least = fastest[what];
      if (least === undefined || took < least) fastest[what] = took;
    }
    if (performance.now() - began > MAX_MS) break;
  }
  const { plain = 0n, dedicated = 0n } = fastest;
  return { size: MEASURED_BYTES, plain, dedicated };
}
