/**
 * Transfer: fills, copies and synchronisation by the device's queue, on allocations that the caller may use.
 *
 * The queue executes one transfer at a time, so transfers take turns, fairly between tenants. A transfer
 * whose caller is gone when its turn comes is skipped. No other requests wait behind transfers. While it
 * runs, a transfer holds the locks that it needs, as its caller's session or as a holder of its own
 * (access-lock.ts). It does not wait for a lock.
 *
 * A transfer may wait for timelines, before its turn and on the host (memory/semaphore/waits.ts): no submission waits
 * for a semaphore, so a value that does not come delays only its own request. What it is to signal is signalled
 * in its turn, after the device has finished.
 */
import { type RequestOf, VkmemError } from '@vkmemd/proto';
import type { FairScheduler } from '../limits/fair-scheduler.js';
import type { Allocation } from '../memory/allocation/allocation.js';
import type { Registry } from '../memory/allocation/registry.js';
import type { Holder } from '../memory/grant/access-lock.js';
import { lockNow } from '../memory/grant/claim-queue.js';
import type { Semaphores } from '../memory/semaphore/semaphores.js';
import type { SemaphoreValue, SemaphoreWaits } from '../memory/semaphore/waits.js';
import { type Caller, requirePresent } from '../memory/session/caller.js';
import type { Device, DeviceMemory } from '../vulkan/device.js';
import { type Handler, reply } from './handler.js';
import { parseRange } from './parse.js';
import { parseSignals, parseTimeout, parseWaits } from './parse-semaphore.js';

interface Collaborators {
  readonly device: Device;
  readonly registry: Registry;
  readonly transfers: FairScheduler;
  readonly semaphores: Semaphores;
  readonly semaphoreWaits: SemaphoreWaits;
}

/** The order of a transfer among the work of other processes. */
interface Ordered {
  readonly waits: readonly SemaphoreValue[];
  readonly signals: readonly SemaphoreValue[];
  readonly timeoutMs: number;
}

/** vkCmdFillBuffer writes whole 32-bit words. */
const FILL_UNIT = 4n;

/**
 * Resolves when the device has finished, and the bytes are visible through every mapping.
 * @throws VkmemError NOT_FOUND, NOT_PERMITTED, INVALID_RANGE, INVALID_ARGUMENT, DEVICE_OUT_OF_MEMORY,
 *   DEVICE_LOST; BUSY if another session has the lock, PUBLISHED for a write to published memory; UNAVAILABLE
 *   if too many transfers wait already; WAIT_TIMED_OUT if a value does not come in time.
 */
export function transfer(collaborators: Collaborators): Handler<'Transfer'> {
  const { device, registry, transfers, semaphores, semaphoreWaits } = collaborators;

  async function inTurn(caller: Caller, ordered: Ordered, work: () => Promise<void>): Promise<void> {
    const { waits, signals, timeoutMs } = ordered;
    await semaphoreWaits.wait(caller, waits, timeoutMs);
    await transfers.run({ tenant: caller.identity.tenant }, async () => {
      requirePresent(caller);
      // So that nothing is written where it cannot be signalled.
      for (const { semaphore, value } of signals) await semaphore.requireAhead(value);
      await work();
      await signalAll(signals);
    });
  }

  async function fill(
    caller: Caller,
    request: NonNullable<RequestOf<'Transfer'>['fill']>,
    ordered: Ordered,
  ): Promise<bigint> {
    const target = registry.find(request.allocation, caller.identity, 'use');
    const { offsetBytes, sizeBytes } = request;
    const range = parseRange('fill', offsetBytes, sizeBytes, target.memory.size, FILL_UNIT);
    await inTurn(caller, ordered, () =>
      writing(target, holderOf(caller), (memory) =>
        device.fill(memory, range.offset, range.size, request.pattern),
      ),
    );
    return range.size;
  }

  async function copy(
    caller: Caller,
    request: NonNullable<RequestOf<'Transfer'>['copy']>,
    ordered: Ordered,
  ): Promise<bigint> {
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
    await inTurn(caller, ordered, () =>
      writing(target, holder, (targetMemory) =>
        reading(source, holder, (sourceMemory) =>
          device.copy(sourceMemory, from.offset, targetMemory, to.offset, from.size),
        ),
      ),
    );
    return from.size;
  }

  async function sync(
    caller: Caller,
    request: NonNullable<RequestOf<'Transfer'>['sync']>,
    ordered: Ordered,
  ): Promise<bigint> {
    const target = registry.find(request.allocation, caller.identity, 'use');
    await inTurn(caller, ordered, () => target.use((memory) => device.sync(memory)));
    return 0n;
  }

  return async (caller, request) => {
    const begun = process.hrtime.bigint();
    const found = { semaphores, identity: caller.identity };
    const ordered = {
      waits: parseWaits(request.wait, found),
      signals: parseSignals(request.signal, found),
      timeoutMs: parseTimeout(request.timeoutMs),
    };
    let sizeBytes: bigint;
    if (request.fill) sizeBytes = await fill(caller, request.fill, ordered);
    else if (request.copy) sizeBytes = await copy(caller, request.copy, ordered);
    else if (request.sync) sizeBytes = await sync(caller, request.sync, ordered);
    else {
      const reason = 'The request has neither fill, copy nor sync.';
      throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'operation' });
    }
    return reply({ sizeBytes, durationNs: process.hrtime.bigint() - begun });
  };
}

async function signalAll(signals: readonly SemaphoreValue[]): Promise<void> {
  for (const { semaphore, value } of signals) {
    try {
      await semaphore.signal(value);
    } catch (failure) {
      if (!(failure instanceof VkmemError)) throw failure;
      const reason = `The bytes were written, but semaphore ${semaphore.id} was not signalled: ${failure.reason}`;
      throw new VkmemError(failure.code, reason, failure.metadata, failure);
    }
  }
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
