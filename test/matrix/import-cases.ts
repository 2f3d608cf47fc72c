/**
 * The client's own memory as an allocation: a memfd; memory that the daemon granted, imported again; and
 * files that do not match the request.
 */
import { equal } from 'node:assert/strict';
import { openSync } from 'node:fs';
import type { ImportOptions, Memory } from '@vkmemd/client';
import { addSeals, createMemfd, mapFd, OwnedFd, SEALS } from '@vkmemd/proto';
import { type Case, type Refusal, SIZE } from './cases.js';
import type { Seat } from './seat.js';
import { importerSees, patterned, useAll } from './use.js';

const PATTERN = 0x0badcafe;
const IMAGE = { format: 37, width: 64, height: 64, usage: 0x7 };

/** Whether the device can import a memfd, which the way of MAPPABLE shows. */
const takesMemfd = (seat: Seat): boolean => seat.report('MAPPABLE').via.startsWith('memfd');

function withoutMemfd(seat: Seat): Refusal | undefined {
  if (takesMemfd(seat)) return undefined;
  return {
    code: 'KIND_UNSUPPORTED',
    reason: 'MAPPABLE: the device cannot import a memfd.',
    missing: 'export',
  };
}

/** A memfd of this process: the device's writes are visible in it. */
function memfdCase(
  name: string,
  options: Omit<Partial<ImportOptions>, 'fd'>,
  more: Pick<Case, 'may'> & Partial<Case>,
  prepare: (fd: OwnedFd) => void = () => {},
): Case {
  return {
    name: `import: ${name}`,
    kinds: ['MAPPABLE'],
    refused: withoutMemfd,
    ask: async ({ client }, keep) => {
      const fd = keep(await createMemfd('matrix', BigInt(SIZE), { sealed: false }));
      prepare(fd);
      const memory = keep(await client.importMemory({ fd, source: 'MEMFD', ...options }));
      return async () => {
        equal(memory.allocation.imported, true);
        await client.transfer({ fill: { to: memory, pattern: PATTERN } });
        using mapping = mapFd(fd, { offset: 0n, length: SIZE, access: 'ro' });
        equal(Buffer.from(mapping.buffer).compare(patterned(SIZE, PATTERN)), 0, 'the fill is in the memfd');
      };
    },
    ...more,
  };
}

/** The parameters of the exporter's grant, as the import repeats them. */
function repeated(memory: Memory): Omit<ImportOptions, 'fd' | 'source'> {
  const [grant] = memory.grants;
  if (!grant) throw new Error('no grant');
  const { memoryTypeIndex, deviceUuid, driverUuid, dedicated, buffer } = grant;
  return {
    size: memory.size,
    memoryTypeIndex,
    deviceUuid,
    driverUuid,
    ...(dedicated && buffer ? { buffer } : {}),
    ...(dedicated && grant.image ? { image: IMAGE } : {}),
  };
}

/** The daemon's own memory, imported again: a second allocation with the same bytes. */
function reimported(
  name: string,
  kind: 'OPAQUE_FD' | 'DMA_BUF',
  more: Partial<Case> & { readonly image?: boolean; readonly said?: Partial<ImportOptions> } = {},
): Case {
  const { image = false, said = {}, ...rest } = more;
  const wanted = image ? { kinds: [kind], image: IMAGE } : { kinds: [kind], size: SIZE };
  return {
    name: `import: ${name}`,
    kinds: [kind],
    may: image ? ['pass', 'KIND_UNSUPPORTED'] : ['pass'],
    ask: async (seat, keep) => {
      const { client } = seat;
      const own = keep(await client.allocate(wanted));
      using fd = own.fd(kind);
      const options = { ...repeated(own), source: kind, kinds: [kind], ...said };
      const memory = keep(await client.importMemory({ ...options, fd }));
      return async () => {
        equal(memory.allocation.imported, true);
        await useAll(seat, memory);
        if (memory.allocation.dedicated) return;
        await client.transfer({ fill: { to: memory, pattern: PATTERN } });
        await importerSees(seat, own, kind, PATTERN);
      };
    },
    ...rest,
  };
}

/** The fd of a MAPPABLE grant, imported: what the draft VK_EXT_map_memory_fd calls recursion. */
function recursion(seat: Seat): Case {
  return {
    name: 'import: a MAPPABLE grant, handed back',
    kinds: ['MAPPABLE'],
    may: takesMemfd(seat) ? ['pass'] : ['KIND_UNSUPPORTED'],
    ask: async ({ client }, keep) => {
      const own = keep(await client.allocate({ size: SIZE }));
      using fd = own.fd('MAPPABLE');
      const memory = keep(await client.importMemory({ fd, source: 'MEMFD' }));
      return async () => {
        await client.transfer({ fill: { to: memory, pattern: PATTERN } });
        using map = own.map();
        equal(Buffer.compare(map.bytes, patterned(SIZE, PATTERN)), 0, 'the fill is in the imported memory');
      };
    },
  };
}

/** A device file, or a memfd, declared as a handle of the kind. */
function falsely(name: string, source: 'OPAQUE_FD' | 'DMA_BUF', open: () => Promise<OwnedFd>): Case {
  return {
    name: `import: ${name}`,
    kinds: [source],
    may: ['INVALID_HANDLE'],
    ask: async ({ client, device }, keep) => {
      const fd = keep(await open());
      const { deviceUuid, driverUuid } = device;
      const said = { size: SIZE, memoryTypeIndex: 0, deviceUuid, driverUuid };
      keep(await client.importMemory({ fd, source, ...said }));
      return async () => {};
    },
  };
}

export function importCases(seat: Seat): Case[] {
  const otherUuid = new Uint8Array(16).fill(0xee);
  const devNull = async () => new OwnedFd(openSync('/dev/null', 'r+'), 'matrix');
  return [
    memfdCase('a memfd', {}, { may: ['pass'] }),
    memfdCase(
      'a memfd, to be mapped',
      { kinds: ['MAPPABLE'] },
      { may: [], refused: () => ({ code: 'NOT_MAPPABLE' }) },
    ),
    memfdCase('a memfd, as OPAQUE_FD', { kinds: ['OPAQUE_FD'] }, { may: ['pass', 'KIND_UNSUPPORTED'] }),
    memfdCase('a memfd sealed against writing', {}, { may: ['INVALID_HANDLE'] }, (fd) =>
      addSeals(fd, SEALS.FUTURE_WRITE),
    ),
    recursion(seat),
    reimported('an OPAQUE_FD, handed back', 'OPAQUE_FD'),
    reimported('an OPAQUE_FD of an image, handed back', 'OPAQUE_FD', { image: true }),
    reimported('an OPAQUE_FD of another device', 'OPAQUE_FD', {
      said: { deviceUuid: otherUuid },
      may: ['INVALID_HANDLE'],
    }),
    falsely('/dev/null, declared as an OPAQUE_FD', 'OPAQUE_FD', devNull),
    reimported('a DMA_BUF, handed back', 'DMA_BUF'),
    falsely('a memfd, declared as a DMA_BUF', 'DMA_BUF', () => createMemfd('matrix', BigInt(SIZE))),
  ];
}
