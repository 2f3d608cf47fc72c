/**
 * Plugged memory: what is added to a machine that runs, and taken away again, over its monitor (qmp.ts).
 *
 * The monitor is given an fd, opens the memory anew through /proc, and lets go of that fd at once: what stays is the backend,
 * whose name says which allocation it is of and which session of the daemon has its grant. So it is found again by
 * whoever asks the machine, without a note anywhere else. A backend that a device uses cannot be taken away, and a device
 * goes when the guest has let go of it, if ever.
 */
import { type AccessName, type OwnedFd, VkmemError } from '@vkmemd/proto';
import { backendProperties, deviceProperties, type QemuDevice, type QemuProperties } from './qemu-options.js';
import type { Qmp } from './qmp.js';

const BACKEND = /^vkmem-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-(\d{1,19})$/;
/** The guest was asked before, and is waited for now. */
const ASKED = /already in the process of unplug/;
const DEVICES = '/machine/peripheral';

/** What is plugged in. */
export interface Plugged {
  readonly backend: string;
  readonly allocation: string;
  readonly session: bigint;
  /** Of the device, which may have been taken away already. */
  readonly device: string | undefined;
}

export interface Plug {
  readonly allocation: string;
  readonly session: bigint;
  readonly fd: OwnedFd;
  readonly size: bigint;
  readonly access: AccessName;
  readonly driver: QemuDevice;
  /** The device's id. */
  readonly device: string;
  /** More of its properties, such as its bus. */
  readonly place?: QemuProperties;
}

/** Undone in the opposite order where a later one fails. */
type Step = () => Promise<unknown>;

/**
 * Adds it. Where a step fails, those before it are undone.
 * @throws VkmemError VMM_REFUSED; with the `backend` in its metadata where that could not be undone, and stays.
 */
export async function plugIn(qmp: Qmp, { allocation, session, fd, ...plug }: Plug): Promise<void> {
  const id = `vkmem-${allocation}-${session}`;
  const undo: Step[] = [];
  try {
    const opaque = `vkmem:${allocation}:${session}`;
    const added = (await qmp.execute('add-fd', { opaque }, fd)) as { fd?: unknown; 'fdset-id'?: unknown };
    const { fd: number, 'fdset-id': set } = added ?? {};
    if (!Number.isInteger(number) || !Number.isInteger(set))
      throw new VkmemError('VMM_REFUSED', 'add-fd: the answer names no fd.');
    const remove = () => qmp.execute('remove-fd', { 'fdset-id': set, fd: number });
    undo.push(remove);
    const backend = backendProperties(id, Number(number), plug);
    await qmp.execute('object-add', { 'qom-type': 'memory-backend-file', ...backend });
    undo.unshift(() => qmp.execute('object-del', { id }));
    undo.pop();
    await remove();
    const { driver, device, access, place } = plug;
    await qmp.execute('device_add', { driver, ...deviceProperties(driver, device, id, access), ...place });
  } catch (failure) {
    const left = await Promise.allSettled(undo.map((step) => step()));
    // What is the same failure again has ended with the machine, or with the conversation.
    const stuck = left.flatMap((end) =>
      end.status === 'rejected' && end.reason !== failure ? [reasonOf(end.reason)] : [],
    );
    if (stuck.length === 0 || !(failure instanceof VkmemError)) throw failure;
    const reason = `${failure.reason} Not undone, and so still the machine's: ${stuck.join(' ')}`;
    throw new VkmemError(failure.code, reason, { backend: id }, failure);
  }
}

const reasonOf = (failure: unknown): string =>
  failure instanceof VkmemError ? failure.reason : String(failure);

/** All that is plugged in of the daemon's memory. @throws VkmemError VMM_REFUSED. */
export async function listPlugged(qmp: Qmp): Promise<Plugged[]> {
  const backends = await names(qmp, '/objects');
  const found = backends.flatMap((backend) => {
    const [, allocation, session] = BACKEND.exec(backend) ?? [];
    return allocation && session ? [{ backend, allocation, session: BigInt(session) }] : [];
  });
  if (found.length === 0) return [];
  const devices = new Map<unknown, string>();
  for (const device of await names(qmp, DEVICES)) {
    const path = `${DEVICES}/${device}`;
    const properties = await qmp.list('qom-list', { path });
    if (!properties.some(({ name }) => name === 'memdev')) continue;
    devices.set(await qmp.execute('qom-get', { path, property: 'memdev' }), device);
  }
  return found.map((each) => ({ ...each, device: devices.get(`/objects/${each.backend}`) }));
}

/**
 * Takes it away: the device, as soon as the guest has let go of it, then the backend.
 * @throws VkmemError VMM_REFUSED, also where the guest does not let go in time: then all is as it was, but that the guest
 *   was asked, and may let go later.
 */
export async function unplug(qmp: Qmp, { backend, device }: Plugged, timeoutMs: number): Promise<void> {
  if (device !== undefined) {
    const gone = qmp.event('DEVICE_DELETED', (data) => data?.device === device, timeoutMs);
    gone.catch(() => {}); // as it is told below, or asking fails first
    try {
      await qmp.execute('device_del', { id: device });
    } catch (failure) {
      if (!(failure instanceof VkmemError) || !ASKED.test(failure.reason)) throw failure;
    }
    await gone.catch((failure: VkmemError) => {
      const reason = `${failure.reason} The guest has to let go of ${device}; one that has no driver for it, or has not begun, does not.`;
      throw new VkmemError('VMM_REFUSED', reason, { device }, failure);
    });
  }
  await qmp.execute('object-del', { id: backend });
}

async function names(qmp: Qmp, path: string): Promise<string[]> {
  const listed = await qmp.list('qom-list', { path });
  return listed.flatMap(({ name, type }) =>
    typeof name === 'string' && String(type).startsWith('child<') ? [name] : [],
  );
}
