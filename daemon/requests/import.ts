/**
 * Import: makes an allocation from memory that the caller already has. Refused unless the policy permits it
 * to the caller.
 */
import { closeAll, type Decoded, KINDS_BY_WIRE, type KindName, VkmemError } from '@vkmemd/proto';
import type { Creation } from '../memory/allocation/creation.js';
import type { Authority } from '../memory/authority.js';
import type { Device, ForeignSource, ImportTerms } from '../vulkan/device.js';
import { ownFile } from '../vulkan/foreign-handle.js';
import type { Handler } from './handler.js';
import { parseKinds, parseTerms, type WantedTerms } from './parse.js';
import { parseResource, requireImportable } from './parse-resource.js';

interface Collaborators {
  readonly authority: Authority;
  readonly device: Device;
  readonly creation: Creation;
}

const SOURCES: Partial<Record<KindName, ForeignSource>> = {
  OPAQUE_FD: 'OPAQUE_FD',
  DMA_BUF: 'DMA_BUF',
  MAPPABLE: 'MEMFD',
};

/** What `allocation_source` is of memory that CUDA did not make. */
const IMPORTED: readonly unknown[] = ['ALLOCATION_SOURCE_UNSPECIFIED', 'ALLOCATION_SOURCE_IMPORTED'];

/** @throws VkmemError NOT_PERMITTED, INVALID_HANDLE, PROTOCOL_ERROR, and as Allocate. */
export function importMemory({ authority, device, creation }: Collaborators): Handler<'Import'> {
  return async (caller, request, came) => {
    try {
      const [fd] = came;
      if (!fd || came.length > 1) {
        throw new VkmemError('PROTOCOL_ERROR', `An import carries one fd; ${came.length} were received.`);
      }
      authority.requireImport(caller.identity);
      const terms = parseImport(request);
      if (terms.source === 'OPAQUE_FD' || terms.source === 'CUDA_VMM') {
        authority.requireOperatorOnCpu(device.info.type, caller.identity, 'OPAQUE_FD');
      }
      const { allocation, grants, fds } = await creation.create(caller, terms, async () => {
        const plan = await device.planImport(terms, fd);
        return { plan, exists: true, make: () => device.import(terms, plan, ownFile(fd, terms.source)) };
      });
      return { response: { allocation: allocation.describe(), grants }, fds };
    } finally {
      closeAll(came);
    }
  };
}

/** @throws VkmemError INVALID_SIZE, KIND_NOT_REQUESTED, KIND_UNSUPPORTED, INVALID_NAME, INVALID_ARGUMENT. */
function parseImport(request: Decoded<'ImportRequest'>): WantedTerms & ImportTerms {
  if (request.sizeBytes < 0n) throw new VkmemError('INVALID_SIZE', `size_bytes is ${request.sizeBytes}.`);
  const source = parseSource(request);
  const resource = parseResource(request.buffer, request.image);
  requireImportable(resource);
  if (source === 'CUDA_VMM' && resource) {
    const reason = 'Memory that CUDA made is not dedicated to a buffer or an image.';
    throw new VkmemError('INVALID_ARGUMENT', reason, { field: resource.what });
  }
  return {
    ...parseTerms(request, request.kinds.length > 0 ? parseKinds(request.kinds) : []),
    source,
    size: request.sizeBytes,
    resource,
    memoryTypeIndex: request.memoryTypeIndex,
    deviceUuid: request.deviceUuid,
    driverUuid: request.driverUuid,
  };
}

/** @throws VkmemError INVALID_ARGUMENT. */
function parseSource({ source, allocationSource }: Decoded<'ImportRequest'>): ForeignSource {
  const kind = KINDS_BY_WIRE.get(source);
  const own = kind && SOURCES[kind];
  if (!own) {
    const known = Object.keys(SOURCES).map((name) => `KIND_${name}`);
    const reason = `source is ${String(source)}; it must be one of ${known.join(', ')}.`;
    throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'source' });
  }
  if (allocationSource === 'ALLOCATION_SOURCE_CUDA_VMM' && own === 'OPAQUE_FD') return 'CUDA_VMM';
  if (IMPORTED.includes(allocationSource)) return own;
  const which = 'ALLOCATION_SOURCE_IMPORTED, or with KIND_OPAQUE_FD ALLOCATION_SOURCE_CUDA_VMM';
  const reason = `allocation_source is ${String(allocationSource)}; it must be ${which}.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'allocation_source' });
}
