/**
 * Semaphores on every driver: what ListDevices says is exportable is created, claimed, and used by another process that
 * imports it; anything else is refused with the listed reason.
 */
import type { Decoded } from '@vkmemd/proto';
import { VkmemError } from '@vkmemd/proto';
import type { Test } from 'tap';
import { SemaphorePeer } from '../support/semaphore-peer.js';
import type { Seat } from './seat.js';

const UNSUPPORTED = 'KIND_UNSUPPORTED';

/** One assertion for each combination of type and kind. */
export async function checkSemaphores(t: Test, seat: Seat): Promise<void> {
  for (const report of seat.device.semaphores) {
    const [type, kind] = [
      report.type.slice('SEMAPHORE_TYPE_'.length),
      report.kind.slice('SEMAPHORE_KIND_'.length),
    ];
    const what = `${seat.driver.name} / a ${type} semaphore as ${kind}`;
    try {
      const ended = await use(t, seat, report);
      if (ended === 'used') t.ok(report.exportable, `${what}: pass`);
      else {
        t.equal(ended.code, UNSUPPORTED, `${what}: refused with ${ended.code}: ${ended.reason}`);
        // The mock driver claims to export it, and returns no fd.
        t.ok(!report.exportable || seat.driver.name === 'mock', `${what}: as ListDevices says`);
        if (!report.exportable) t.ok(ended.reason.includes(report.reason), `${what}: with its reason`);
      }
    } catch (failure) {
      t.fail(`${what}: ${String(failure)}`, { failure, log: seat.log() });
    }
    await seat.settled();
  }
}

async function use(
  t: Test,
  { client, device, driver }: Seat,
  report: Decoded<'SemaphoreReport'>,
): Promise<'used' | VkmemError> {
  const timeline = report.type === 'SEMAPHORE_TYPE_TIMELINE';
  const sync = report.kind === 'SEMAPHORE_KIND_SYNC_FD';
  const created = await client
    .createSemaphore({ type: timeline ? 'TIMELINE' : 'BINARY', kinds: [sync ? 'SYNC_FD' : 'OPAQUE_FD'] })
    .catch((failure: unknown) => failure as VkmemError);
  if (created instanceof VkmemError) return created;
  const { deviceUuid } = device;
  const env = { VK_DRIVER_FILES: driver.files };
  try {
    if (sync) await created.signal();
    const handle = await client
      .claimSemaphore({ id: created.id })
      .catch((failure: unknown) => failure as VkmemError);
    if (handle instanceof VkmemError) return handle;
    const fd = handle.grant?.fdCount === 0 ? undefined : handle.fd.dup('peer');
    handle.close();
    const as = timeline ? 'timeline' : sync ? 'sync' : 'binary';
    const peer = await SemaphorePeer.start(t, { type: as, deviceUuid, env }, fd);
    if (!sync) await created.signal(timeline ? 1 : 0);
    if (!(await peer.wait(timeline ? 1n : 0n))) throw new Error('the signal of the daemon did not arrive');
    if (timeline) {
      const back = created.wait(2);
      await peer.signal(2n);
      if ((await back) !== 2n) throw new Error('the signal of the peer did not arrive');
    }
    await peer.end();
    return 'used';
  } finally {
    await created.free();
  }
}
