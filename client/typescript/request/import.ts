/**
 * Import: converts the options of callers to an ImportRequest, which makes memory of the client an allocation
 * of the daemon.
 *
 * The daemon checks the fd (its type, its size, its seals) and queries the driver. Only the presence and form
 * of the options that the source requires are checked here.
 */
import {
  type Draft,
  isKernelError,
  type KindName,
  kindToWire,
  type LifetimeName,
  OwnedFd,
  VkmemError,
} from '@vkmemd/proto';
import {
  type Bytes,
  checkKinds,
  checkSize,
  checkUint32,
  checkUuid,
  checkWord,
  describe,
} from './arguments.js';
import { lifetimeFields } from './requests.js';
import { memoryTypeField, type ResourceOptions, resourceFields } from './resources.js';

/** The memory to import, and the properties of its allocation. */
export interface ImportOptions extends ResourceOptions {
  /**
   * The fd; borrowed: a duplicate is sent to the daemon. The caller may close it when importMemory() has been
   * called.
   */
  readonly fd: OwnedFd | number;
  /**
   * The type of the fd. A MEMFD must be sealed against shrinking and growing. CUDA_VMM: the fd of
   * cuMemExportToShareableHandle (CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR); the device imports it when the first
   * transfer uses it, which fails with INVALID_HANDLE if the fd or the size is wrong.
   */
  readonly source: 'OPAQUE_FD' | 'DMA_BUF' | 'MEMFD' | 'CUDA_VMM';
  /**
   * Bytes. OPAQUE_FD: exactly the exporter's allocationSize; required. CUDA_VMM: the size of cuMemCreate; required.
   * Otherwise the size of the file, which is the default.
   */
  readonly size?: Bytes;
  /** OPAQUE_FD: the exporter's index; required. Otherwise the only memory type to use; optional. */
  readonly memoryTypeIndex?: number;
  /**
   * OPAQUE_FD, CUDA_VMM: the exporter's device UUID (cuDeviceGetUuid), 16 bytes; required. Must be that of the daemon's
   * device.
   */
  readonly deviceUuid?: Uint8Array;
  /** OPAQUE_FD: the exporter's driver UUID, 16 bytes; required. Must be that of the daemon's device. */
  readonly driverUuid?: Uint8Array;
  /**
   * The kinds that the allocation may be granted as: the kind of the source, for OPAQUE_FD and DMA_BUF; OPAQUE_FD for
   * CUDA_VMM.
   * Imported memory is never MAPPABLE. Default: none, so that it can only be used for transfers.
   */
  readonly kinds?: readonly KindName[];
  /** The kinds to grant at once, of `kinds`. Default: all of them. */
  readonly grant?: readonly KindName[];
  /** The name, which makes the allocation NAMED; as for allocate(). */
  readonly name?: string;
  /** Default: NAMED with a name, SESSION without one. */
  readonly lifetime?: LifetimeName;
}

const SOURCES = {
  OPAQUE_FD: 'KIND_OPAQUE_FD',
  DMA_BUF: 'KIND_DMA_BUF',
  MEMFD: 'KIND_MAPPABLE',
  CUDA_VMM: 'KIND_OPAQUE_FD',
} as const;
const SOURCE_NAMES = ['OPAQUE_FD', 'DMA_BUF', 'MEMFD', 'CUDA_VMM'] as const;

/**
 * Checks the options of an import, and converts them. The fd is separate (importedFd()).
 * @throws VkmemError INVALID_ARGUMENT, INVALID_SIZE, SIZE_ABOVE_MAXIMUM, KIND_NOT_REQUESTED,
 *   KIND_UNSUPPORTED, INVALID_NAME.
 */
export function importRequest(options: ImportOptions): Draft<'ImportRequest'> {
  const { size, memoryTypeIndex, deviceUuid, driverUuid, kinds = [], grant = kinds } = options;
  const source = checkWord('source', options.source, SOURCE_NAMES);
  if (source === 'OPAQUE_FD') {
    // An opaque fd does not contain these values, and a wrong value is undefined behaviour in the driver.
    checkSize(size);
    checkUint32('memoryTypeIndex', memoryTypeIndex);
    checkUuid('deviceUuid', deviceUuid);
    checkUuid('driverUuid', driverUuid);
  }
  if (source === 'CUDA_VMM') {
    checkSize(size);
    checkUuid('deviceUuid', deviceUuid);
  }
  return {
    source: SOURCES[source],
    allocationSource: source === 'CUDA_VMM' ? 'ALLOCATION_SOURCE_CUDA_VMM' : 'ALLOCATION_SOURCE_UNSPECIFIED',
    sizeBytes: size === undefined ? 0n : checkSize(size),
    ...memoryTypeField(memoryTypeIndex),
    deviceUuid: deviceUuid === undefined ? new Uint8Array() : checkUuid('deviceUuid', deviceUuid),
    driverUuid: driverUuid === undefined ? new Uint8Array() : checkUuid('driverUuid', driverUuid),
    kinds: kinds.length === 0 ? [] : checkKinds(kinds).map(kindToWire),
    grantKinds: grant.length === 0 ? [] : checkKinds(grant).map(kindToWire),
    ...lifetimeFields(options),
    ...resourceFields(options),
  };
}

/**
 * Duplicates the caller's fd. The caller of this function owns the duplicate.
 * @throws VkmemError INVALID_ARGUMENT if it is not an open descriptor.
 * @throws KernelError EMFILE.
 */
export function importedFd(fd: OwnedFd | number): OwnedFd {
  try {
    return OwnedFd.duplicateOf(typeof fd === 'number' ? fd : fd.fd, 'to be imported');
  } catch (failure) {
    if (isKernelError(failure) && failure.code !== 'EBADF') throw failure;
    const reason = `fd: ${describe(fd)} is not an open file descriptor.`;
    throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'fd' }, failure);
  }
}
