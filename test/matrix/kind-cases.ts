/** Kinds, alone and together, and sizes: requests that do not state what will be bound. */
import { equal } from 'node:assert/strict';
import type { Memory } from '@vkmemd/client';
import { KIND_NAMES, type KindName } from '@vkmemd/proto';
import { type Answer, allocation, type Case, SIZE } from './cases.js';
import type { Seat } from './seat.js';
import { useAll } from './use.js';

/** For two or more kinds: the results of a driver for the combination, which ListDevices does not show. */
const TOGETHER: readonly Answer[] = ['pass', 'KIND_UNSUPPORTED', 'NO_MEMORY_TYPE', 'NOT_MAPPABLE'];

const pairs = KIND_NAMES.flatMap((one, at) => KIND_NAMES.slice(at + 1).map((other) => [one, other]));
const sets: readonly (readonly KindName[])[] = [
  ...KIND_NAMES.map((kind) => [kind]),
  ...pairs,
  ['MAPPABLE', 'OPAQUE_FD', 'DMA_BUF'],
  ['OPAQUE_FD', 'DMA_BUF', 'RDMA_ADDRESS'],
  KIND_NAMES,
];

/** The plain cases: a case named after one kind is compared with ListDevices. */
export function kindCases(): Case[] {
  return sets.map((kinds) =>
    allocation(
      kinds.join(' with '),
      { kinds, size: SIZE },
      { may: kinds.length === 1 ? ['pass'] : TOGETHER },
    ),
  );
}

/** The device can reach every byte, including those added by rounding up. */
async function useRounded(seat: Seat, memory: Memory): Promise<void> {
  equal(memory.size % 4096n, 0n, 'whole pages');
  await useAll(seat, memory, false);
}

/** Uses its last bytes only: it may be most of the memory. */
async function useEnd({ client }: Seat, memory: Memory): Promise<void> {
  await client.transfer({ fill: { to: memory, offset: memory.size - 4096n, pattern: 1 } });
  const second = await client.claim(memory, { kinds: memory.kinds });
  await second.release();
}

export function sizeCases({ device }: Seat): Case[] {
  const largest = device.heaps.reduce((max, { sizeBytes }) => (sizeBytes > max ? sizeBytes : max), 0n);
  const promised = device.maxAllocationSizeBytes + 1n;
  const unpromised: readonly Answer[] =
    promised > largest ? ['SIZE_ABOVE_MAXIMUM'] : ['pass', 'DEVICE_OUT_OF_MEMORY', 'BUDGET_EXCEEDED'];
  return [
    ...(['MAPPABLE', 'OPAQUE_FD'] as const).flatMap((kind) => [
      allocation(`1 byte as ${kind}`, { kinds: [kind], size: 1 }, { use: useRounded }),
      allocation(
        `more than the largest heap as ${kind}`,
        { kinds: [kind], size: largest + 1n },
        { may: ['SIZE_ABOVE_MAXIMUM'] },
      ),
    ]),
    allocation(
      'more than maxMemoryAllocationSize as OPAQUE_FD',
      { kinds: ['OPAQUE_FD'], size: promised },
      { may: unpromised, use: useEnd },
    ),
  ];
}
