/**
 * Memory types: by property flags, and each by its index.
 *
 * The possible answers follow from the types in ListDevices. A refusal is as correct as a pass only where a
 * driver may allow less than its types suggest (which types can import a memfd, which can be exported).
 */
import { equal } from 'node:assert/strict';
import { type Memory, type PropertyOptions, VkmemError } from '@vkmemd/client';
import type { KindName } from '@vkmemd/proto';
import { type Answer, allocation, type Case, SIZE } from './cases.js';
import type { Seat } from './seat.js';
import { useAll } from './use.js';

const DEVICE_LOCAL = 0x1;
const HOST_VISIBLE = 0x2;
const HOST_COHERENT = 0x4;
const HOST_CACHED = 0x8;
const PROTECTED = 0x20;
/** Protected, lazily allocated, and AMD's types that need a feature of their own: never chosen. */
const NEVER = 0x10 | PROTECTED | 0x40 | 0x80;
const RDMA_CAPABLE = 0x100;

const KINDS = ['MAPPABLE', 'OPAQUE_FD'] as const;

const WISHES: readonly (readonly [string, { readonly [K in keyof PropertyOptions]: number }])[] = [
  ['required DEVICE_LOCAL', { required: DEVICE_LOCAL }],
  ['required HOST_VISIBLE', { required: HOST_VISIBLE }],
  ['required HOST_CACHED', { required: HOST_CACHED }],
  ['preferred HOST_CACHED', { preferred: HOST_CACHED }],
  ['preferred PROTECTED', { preferred: PROTECTED }],
  ['forbidden DEVICE_LOCAL', { forbidden: DEVICE_LOCAL }],
  ['forbidden HOST_VISIBLE', { forbidden: HOST_VISIBLE }],
  ['required DEVICE_LOCAL, forbidden HOST_VISIBLE', { required: DEVICE_LOCAL, forbidden: HOST_VISIBLE }],
  ['required PROTECTED', { required: PROTECTED }],
  ['required and forbidden HOST_VISIBLE', { required: HOST_VISIBLE, forbidden: HOST_VISIBLE }],
];

/** Whether a type meets the requirements of the kind and of the properties. */
function fits(
  kind: KindName,
  flags: number,
  { required = 0, forbidden = 0 }: (typeof WISHES)[number][1],
): boolean {
  const needed = required | (kind === 'MAPPABLE' ? HOST_VISIBLE | HOST_COHERENT : 0);
  return (flags & needed) === needed && (flags & (forbidden | NEVER)) === 0;
}

const refusedFor = (kind: KindName): Answer => (kind === 'MAPPABLE' ? 'NOT_MAPPABLE' : 'NO_MEMORY_TYPE');

function flagCases({ device }: Seat): Case[] {
  return KINDS.flatMap((kind) =>
    WISHES.map(([what, properties]) => {
      const { required = 0, forbidden = 0 } = properties;
      const left = device.memoryTypes.filter(
        ({ propertyFlags }) => fits(kind, propertyFlags, properties) && (propertyFlags & RDMA_CAPABLE) === 0,
      );
      const mayBeFewer = kind === 'MAPPABLE' && left.length < device.memoryTypes.length;
      const refusal = refusedFor(kind);
      const use = async (seat: Seat, memory: Memory): Promise<void> => {
        const flags = memory.allocation.memoryPropertyFlags;
        equal(flags & required, required, 'all required flags');
        equal(flags & forbidden, 0, 'no forbidden flag');
        await useAll(seat, memory, false);
      };
      return allocation(
        `${what} as ${kind}`,
        { kinds: [kind], size: SIZE, properties },
        { may: left.length === 0 ? [refusal] : mayBeFewer ? ['pass', refusal] : ['pass'], use },
      );
    }),
  );
}

/** A type that no transfer buffer can be bound to: it can be allocated by its index, but not transferred. */
function isUntransferable(failure: unknown, index: number): boolean {
  const reason = failure instanceof VkmemError && failure.code === 'KIND_UNSUPPORTED' ? failure.reason : '';
  return reason.includes(`transfer buffers cannot use memory of type ${index}`);
}

function indexCases({ device }: Seat): Case[] {
  const { memoryTypes } = device;
  return KINDS.flatMap((kind) => [
    ...memoryTypes.map(({ index, propertyFlags }) => {
      const refusal = refusedFor(kind);
      const only = memoryTypes.length === 1;
      const may: readonly Answer[] = only
        ? ['pass']
        : ['pass', refusal, 'KIND_UNSUPPORTED', 'DEVICE_OUT_OF_MEMORY'];
      const use = async (seat: Seat, memory: Memory): Promise<void> => {
        equal(memory.allocation.memoryTypeIndex, index);
        await useAll(seat, memory).catch((failure) => {
          if (!isUntransferable(failure, index)) throw failure;
        });
      };
      return allocation(
        `memory type ${index} as ${kind}`,
        { kinds: [kind], size: SIZE, memoryTypeIndex: index },
        { may: fits(kind, propertyFlags, {}) ? may : [refusal], use },
      );
    }),
    allocation(
      `a memory type beyond the last as ${kind}`,
      { kinds: [kind], size: SIZE, memoryTypeIndex: memoryTypes.length },
      { may: ['INVALID_ARGUMENT'] },
    ),
  ]);
}

export function typeCases(seat: Seat): Case[] {
  return [...flagCases(seat), ...indexCases(seat)];
}
