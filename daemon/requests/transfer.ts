/**
 * Transfers: fills, copies and synchronisation that the device's queue does, on allocations that the caller may use.
 *
 * The queue does one at a time, so transfers take turns, fairly between users; one whose caller has gone by the time
 * its turn comes is not done. Nothing else waits behind them. While it runs, a transfer has the rights that it needs, for
 * its caller's session or by itself (sharing.ts); it waits for none.
 */
import { type Decoded, VkmemError } from '@vkmemd/proto';
import type { FairScheduler } from '../limits/fair-scheduler.js';
import type { Allocation } from '../memory/allocation/allocation.js';
import type { Domain } from '../memory/domain.js';
import type { Holder } from '../memory/grant/access-lock.js';
import { takeNow } from '../memory/grant/claim-queue.js';
import { type Caller, requirePresent } from '../memory/session/caller.js';
import type { DeviceMemory } from '../vulkan/device.js';
import { parseRange } from './parse.js';

/** vkCmdFillBuffer writes whole 32-bit words. */
const FILL_UNIT = 4n;

/**
 * Fills, copies or synchronises; resolves when the device has finished and the bytes can be seen through every mapping.
 * @throws VkmemError NOT_FOUND, NOT_PERMITTED, INVALID_RANGE, INVALID_ARGUMENT, DEVICE_OUT_OF_MEMORY, DEVICE_LOST;
 *   BUSY where another session has the right to it, PUBLISHED for what cannot be written to any more; UNAVAILABLE
 *   where too many wait already.
 */
export async function transfer(
  domain: Domain,
  caller: Caller,
  request: Decoded<'TransferRequest'>,
): Promise<Decoded<'TransferResponse'>> {
  const begun = process.hrtime.bigint();
  const sizeBytes = await perform(domain, caller, request);
  return { sizeBytes, durationNs: process.hrtime.bigint() - begun };
}

function perform(domain: Domain, caller: Caller, request: Decoded<'TransferRequest'>): Promise<bigint> {
  if (request.fill) return fill(domain, caller, request.fill);
  if (request.copy) return copy(domain, caller, request.copy);
  if (request.sync) return sync(domain, caller, request.sync);
  throw new VkmemError('INVALID_ARGUMENT', 'The request says neither fill, copy nor sync.', {
    field: 'operation',
  });
}

async function fill(domain: Domain, caller: Caller, request: Decoded<'Fill'>): Promise<bigint> {
  const target = domain.registry.find(request.allocation, caller.identity, 'use');
  const { offsetBytes, sizeBytes } = request;
  const range = parseRange('fill', offsetBytes, sizeBytes, target.memory.size, FILL_UNIT);
  await inTurn(domain.transfers, caller, () =>
    writing(target, holderOf(caller), (memory) =>
      domain.device.fill(memory, range.offset, range.size, request.pattern),
    ),
  );
  return range.size;
}

async function copy(domain: Domain, caller: Caller, request: Decoded<'Copy'>): Promise<bigint> {
  const source = domain.registry.find(request.source, caller.identity, 'use');
  const target = domain.registry.find(request.destination, caller.identity, 'use');
  const { sourceOffsetBytes, destinationOffsetBytes, sizeBytes } = request;
  const from = parseRange('source', sourceOffsetBytes, sizeBytes, source.memory.size, 1n);
  const to = parseRange('destination', destinationOffsetBytes, from.size, target.memory.size, 1n);
  const apart = from.offset + from.size <= to.offset || to.offset + to.size <= from.offset;
  if (source === target && !apart) {
    throw new VkmemError('INVALID_RANGE', 'Source and destination overlap in one allocation.');
  }
  const holder = holderOf(caller);
  await inTurn(domain.transfers, caller, () =>
    writing(target, holder, (targetMemory) =>
      reading(source, holder, (sourceMemory) =>
        domain.device.copy(sourceMemory, from.offset, targetMemory, to.offset, from.size),
      ),
    ),
  );
  return from.size;
}

async function sync(domain: Domain, caller: Caller, request: Decoded<'Sync'>): Promise<bigint> {
  const target = domain.registry.find(request.allocation, caller.identity, 'use');
  await inTurn(domain.transfers, caller, () => target.use((memory) => domain.device.sync(memory)));
  return 0n;
}

/** Who has the right while a transfer runs. */
const holderOf = ({ session }: Caller): Holder => session ?? { id: 0n };

async function writing(
  allocation: Allocation,
  holder: Holder,
  work: (memory: DeviceMemory) => Promise<void>,
): Promise<void> {
  const hold = takeNow(allocation, holder, 'rw');
  try {
    await allocation.publication.write(() => allocation.use(work));
  } finally {
    hold.drop();
  }
}

async function reading(
  allocation: Allocation,
  holder: Holder,
  work: (memory: DeviceMemory) => Promise<void>,
): Promise<void> {
  const hold = takeNow(allocation, holder, 'ro');
  try {
    await allocation.use(work);
  } finally {
    hold.drop();
  }
}

function inTurn(turns: FairScheduler, caller: Caller, work: () => Promise<void>): Promise<void> {
  return turns.run({ uid: caller.identity.uid }, () => {
    requirePresent(caller);
    return work();
  });
}
