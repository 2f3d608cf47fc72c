/**
 * Transfer: fills, copies and synchronisation by the device's queue, on allocations that the caller may use.
 *
 * The queue executes one transfer at a time, so transfers take turns, fairly between tenants. A transfer
 * whose caller is gone when its turn comes is skipped. No other requests wait behind transfers. While it
 * runs, a transfer holds the locks that it needs, as its caller's session or as a holder of its own
 * (access-lock.ts). It does not wait for a lock.
 */
import { type RequestOf, VkmemError } from '@vkmemd/proto';
import type { FairScheduler } from '../limits/fair-scheduler.js';
import type { Allocation } from '../memory/allocation/allocation.js';
import type { Registry } from '../memory/allocation/registry.js';
import type { Holder } from '../memory/grant/access-lock.js';
import { lockNow } from '../memory/grant/claim-queue.js';
import { type Caller, requirePresent } from '../memory/session/caller.js';
import type { Device, DeviceMemory } from '../vulkan/device.js';
import { type Handler, reply } from './handler.js';
import { parseRange } from './parse.js';

interface Collaborators {
  readonly device: Device;
  readonly registry: Registry;
  readonly transfers: FairScheduler;
}

/** vkCmdFillBuffer writes whole 32-bit words. */
const FILL_UNIT = 4n;

/**
 * Resolves when the device has finished, and the bytes are visible through every mapping.
 * @throws VkmemError NOT_FOUND, NOT_PERMITTED, INVALID_RANGE, INVALID_ARGUMENT, DEVICE_OUT_OF_MEMORY,
 *   DEVICE_LOST; BUSY if another session has the lock, PUBLISHED for a write to published memory; UNAVAILABLE
 *   if too many transfers wait already.
 */
export function transfer({ device, registry, transfers }: Collaborators): Handler<'Transfer'> {
  const inTurn = (caller: Caller, work: () => Promise<void>) =>
    transfers.run({ tenant: caller.identity.tenant }, () => {
      requirePresent(caller);
      return work();
    });

  async function fill(caller: Caller, request: NonNullable<RequestOf<'Transfer'>['fill']>): Promise<bigint> {
    const target = registry.find(request.allocation, caller.identity, 'use');
    const { offsetBytes, sizeBytes } = request;
    const range = parseRange('fill', offsetBytes, sizeBytes, target.memory.size, FILL_UNIT);
    await inTurn(caller, () =>
      writing(target, holderOf(caller), (memory) =>
        device.fill(memory, range.offset, range.size, request.pattern),
      ),
    );
    return range.size;
  }

  async function copy(caller: Caller, request: NonNullable<RequestOf<'Transfer'>['copy']>): Promise<bigint> {
    const source = registry.find(request.source, caller.identity, 'use');
    const target = registry.find(request.destination, caller.identity, 'use');
    const { sourceOffsetBytes, destinationOffsetBytes, sizeBytes } = request;
    const from = parseRange('source', sourceOffsetBytes, sizeBytes, source.memory.size, 1n);
    const to = parseRange('destination', destinationOffsetBytes, from.size, target.memory.size, 1n);
    const apart = from.offset + from.size <= to.offset || to.offset + to.size <= from.offset;
    if (source === target && !apart) {
      throw new VkmemError('INVALID_RANGE', 'Source and destination overlap in one allocation.');
    }
    const holder = holderOf(caller);
    await inTurn(caller, () =>
      writing(target, holder, (targetMemory) =>
        reading(source, holder, (sourceMemory) =>
          device.copy(sourceMemory, from.offset, targetMemory, to.offset, from.size),
        ),
      ),
    );
    return from.size;
  }

  async function sync(caller: Caller, request: NonNullable<RequestOf<'Transfer'>['sync']>): Promise<bigint> {
    const target = registry.find(request.allocation, caller.identity, 'use');
    await inTurn(caller, () => target.use((memory) => device.sync(memory)));
    return 0n;
  }

  return async (caller, request) => {
    const begun = process.hrtime.bigint();
    let sizeBytes: bigint;
    if (request.fill) sizeBytes = await fill(caller, request.fill);
    else if (request.copy) sizeBytes = await copy(caller, request.copy);
    else if (request.sync) sizeBytes = await sync(caller, request.sync);
    else {
      const reason = 'The request has neither fill, copy nor sync.';
      throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'operation' });
    }
    return reply({ sizeBytes, durationNs: process.hrtime.bigint() - begun });
  };
}

/** The holder of the lock while a transfer runs. */
const holderOf = ({ session }: Caller): Holder => session ?? { id: 0n };

async function writing(
  allocation: Allocation,
  holder: Holder,
  work: (memory: DeviceMemory) => Promise<void>,
): Promise<void> {
  const lock = lockNow(allocation, holder, 'rw');
  try {
    const { publication } = allocation;
    await (publication ? publication.write(() => allocation.use(work)) : allocation.use(work));
  } finally {
    lock.release();
  }
}

async function reading(
  allocation: Allocation,
  holder: Holder,
  work: (memory: DeviceMemory) => Promise<void>,
): Promise<void> {
  const lock = lockNow(allocation, holder, 'ro');
  try {
    await allocation.use(work);
  } finally {
    lock.release();
  }
}
