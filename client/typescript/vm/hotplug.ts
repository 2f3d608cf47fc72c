/**
 * Hotplug: memory that is added to a running machine, and removed again, over its monitor (qmp.ts).
 *
 * The monitor gets an fd, opens the memory anew through /proc, and closes that fd: the backend stays, whose
 * name has the allocation and the session of the daemon that has its grant. So the machine itself says what
 * was added to it. A backend that a device uses cannot be removed, and a device is removed when the guest
 * releases it, if ever.
 */
import { type AccessName, AsyncDisposableStack, type OwnedFd, VkmemError } from '@vkmemd/proto';
import { backendProperties, deviceProperties, type QemuDevice, type QemuProperties } from './qemu-options.js';
import type { Qmp } from './qmp.js';

const BACKEND = /^vkmem-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-(\d{1,19})$/;
/** The guest was asked before; it is waited for now. */
const ASKED = /already in the process of unplug/;
const DEVICES = '/machine/peripheral';

/** Memory that was added to a machine. */
export interface HotpluggedMemory {
  readonly backend: string;
  readonly allocation: string;
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
  /** More of its properties, such as its bus. */
  readonly place?: QemuProperties;
}

/**
 * Adds memory to a machine. Where a step fails, those before it are undone.
 * @throws VkmemError VMM_REFUSED; with the `backend` in its metadata where a step could not be undone, and
 *   stays.
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
    // QEMU has opened the memory by its path, and needs the fd no more.
    await set.remove();
    await qmp.execute('device_add', { driver, ...deviceProperties(driver, device, id, access), ...place });
  } catch (failure) {
    await undo.disposeAsync();
    // The same failure again: the machine or the conversation has ended, and everything with it.
    const stuck = undoFailures.filter((undone) => undone !== failure).map(reasonOf);
    if (stuck.length === 0 || !(failure instanceof VkmemError)) throw failure;
    const reason = `${failure.reason} Not undone, and so still the machine's: ${stuck.join(' ')}`;
    throw new VkmemError(failure.code, reason, { backend: id }, failure);
  }
}

/**
 * Passes an fd to the machine.
 * @returns its number there, and what removes it, once.
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
    throw new VkmemError('VMM_REFUSED', 'add-fd: the answer names no fd.');
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

/** The memory of the daemon in a machine. @throws VkmemError VMM_REFUSED. */
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
 * Removes memory: the device, as soon as the guest has released it, then the backend.
 * @throws VkmemError VMM_REFUSED, also where the guest does not release the device in time: then nothing has
 *   changed, but the guest was asked, and may release it later.
 */
export async function hotUnplug(
  qmp: Qmp,
  { backend, device }: HotpluggedMemory,
  timeoutMs: number,
): Promise<void> {
  if (device !== undefined) {
    const gone = qmp.event('DEVICE_DELETED', (data) => data?.device === device, timeoutMs);
    gone.catch(() => {}); // Thrown below, unless asking fails first.
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
