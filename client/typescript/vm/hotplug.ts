/**
 * Hotplug: adds memory to a running virtual machine, and removes it, over the monitor (qmp.ts).
 *
 * QEMU receives an fd, reopens the memory through /proc, and closes the fd. The memory backend remains. Its
 * name contains the allocation id and the id of the daemon's session that has the grant, so that the machine
 * can be queried for the memory that was added. A backend that a device uses cannot be removed. A device is
 * removed when the guest releases it, which may never happen.
 */
import { type AccessName, AsyncDisposableStack, type OwnedFd, VkmemError } from '@vkmemd/proto';
import { backendProperties, deviceProperties, type QemuDevice, type QemuProperties } from './qemu-options.js';
import type { Qmp } from './qmp.js';

const BACKEND = /^vkmem-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-(\d{1,19})$/;
/** The guest was requested before to release the device; only the waiting is repeated. */
const ASKED = /already in the process of unplug/;
const DEVICES = '/machine/peripheral';

/** Memory that was added to a machine. */
export interface HotpluggedMemory {
  /** The id of the memory backend. */
  readonly backend: string;
  /** The id of the allocation. */
  readonly allocation: string;
  /** The id of the session that has the grant. */
  readonly session: bigint;
  /** The id of the device, which may have been removed already. */
  readonly device: string | undefined;
}

export interface HotplugRequest {
  readonly allocation: string;
  readonly session: bigint;
  readonly fd: OwnedFd;
  readonly size: bigint;
  readonly access: AccessName;
  readonly driver: QemuDevice;
  /** The device's id. */
  readonly device: string;
  /** Further properties of the device, such as its bus. */
  readonly place?: QemuProperties;
}

/**
 * Adds memory to a machine. If a step fails, the steps before it are undone.
 * @throws VkmemError VMM_REFUSED; with the `backend` in its metadata if a step could not be undone.
 */
export async function hotplug(qmp: Qmp, request: HotplugRequest): Promise<void> {
  const { allocation, session, fd, size, access, driver, device, place } = request;
  const id = `vkmem-${allocation}-${session}`;
  const undoFailures: unknown[] = [];
  const undo = new AsyncDisposableStack();
  const undoBy = (step: () => Promise<unknown>) =>
    undo.defer(async () => {
      await step().catch((failure: unknown) => undoFailures.push(failure));
    });
  try {
    const set = await addFd(qmp, `vkmem:${allocation}:${session}`, fd);
    undoBy(set.remove);
    const backend = backendProperties(id, set.fd, { size, access });
    await qmp.execute('object-add', { 'qom-type': 'memory-backend-file', ...backend });
    undoBy(() => qmp.execute('object-del', { id }));
    // QEMU has opened the memory by its path, and no longer needs the fd.
    await set.remove();
    await qmp.execute('device_add', { driver, ...deviceProperties(driver, device, id, access), ...place });
  } catch (failure) {
    await undo.disposeAsync();
    // A failure that is the same object: the connection or the machine has ended, so nothing remains to undo.
    const stuck = undoFailures.filter((undone) => undone !== failure).map(reasonOf);
    if (stuck.length === 0 || !(failure instanceof VkmemError)) throw failure;
    const reason = `${failure.reason} The machine still has the memory: ${stuck.join(' ')}`;
    throw new VkmemError(failure.code, reason, { backend: id }, failure);
  }
}

/**
 * Passes an fd to the machine.
 * @returns Its number in QEMU, and a function that removes it, once.
 * @throws VkmemError VMM_REFUSED.
 */
async function addFd(
  qmp: Qmp,
  opaque: string,
  passed: OwnedFd,
): Promise<{ readonly fd: number; remove(): Promise<void> }> {
  const added = (await qmp.execute('add-fd', { opaque }, passed)) as { fd?: unknown; 'fdset-id'?: unknown };
  const { fd, 'fdset-id': set } = added ?? {};
  if (!Number.isInteger(fd) || !Number.isInteger(set))
    throw new VkmemError('VMM_REFUSED', 'add-fd: the answer has no fd and fdset-id.');
  let removed = false;
  const remove = async () => {
    if (removed) return;
    removed = true;
    await qmp.execute('remove-fd', { 'fdset-id': set, fd });
  };
  return { fd: Number(fd), remove };
}

const reasonOf = (failure: unknown): string =>
  failure instanceof VkmemError ? failure.reason : String(failure);

/**
 * Lists the memory of the daemon that a machine has.
 * @throws VkmemError VMM_REFUSED.
 */
export async function listHotplugged(qmp: Qmp): Promise<HotpluggedMemory[]> {
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
 * Removes memory: the device, when the guest has released it, then the backend.
 * @throws VkmemError VMM_REFUSED, also if the guest does not release the device in time. Nothing has changed
 *   then, but the guest may still release the device later.
 */
export async function hotUnplug(
  qmp: Qmp,
  { backend, device }: HotpluggedMemory,
  timeoutMs: number,
): Promise<void> {
  if (device !== undefined) {
    const gone = qmp.event('DEVICE_DELETED', (data) => data?.device === device, timeoutMs);
    gone.catch(() => {}); // Thrown below, unless device_del fails first.
    try {
      await qmp.execute('device_del', { id: device });
    } catch (failure) {
      if (!(failure instanceof VkmemError) || !ASKED.test(failure.reason)) throw failure;
    }
    await gone.catch((failure: VkmemError) => {
      const reason = `${failure.reason} The guest must release ${device}; this requires a driver for it.`;
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
