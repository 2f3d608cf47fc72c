/**
 * A client's own memory as an allocation of the daemon: what callers say of it, turned into ImportRequest.
 *
 * The daemon looks at the fd itself (its type, its size, its seals) and asks the driver; what is checked here
 * is only that the request says what its source needs.
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
import { type Bytes, checkKinds, checkSize, checkUint32, checkUuid, checkWord } from './arguments.js';
import { lifetimeFields } from './requests.js';
import { memoryTypeField, type ResourceOptions, resourceFields } from './resources.js';

/** What to import, and what it shall be. */
export interface ImportOptions extends ResourceOptions {
  /**
   * The caller's, and stays so: a duplicate goes to the daemon. It may be closed as soon as importMemory()
   * was called.
   */
  readonly fd: OwnedFd | number;
  /** What the fd is. A MEMFD must be sealed against shrinking and growing. */
  readonly source: 'OPAQUE_FD' | 'DMA_BUF' | 'MEMFD';
  /**
   * OPAQUE_FD: the exporter's allocationSize, exactly, and required. Otherwise the file's size, which is the
   * default.
   */
  readonly size?: Bytes;
  /** OPAQUE_FD: the exporter's index, and required. Otherwise this memory type and no other. */
  readonly memoryTypeIndex?: number;
  /** OPAQUE_FD: the exporter's, 16 bytes each, and required; both must be those of the daemon's device. */
  readonly deviceUuid?: Uint8Array;
  readonly driverUuid?: Uint8Array;
  /**
   * Every kind that it will ever be granted as: the source's own, for OPAQUE_FD and DMA_BUF; imported memory
   * is never MAPPABLE. Default: none, so that it is for transfers alone.
   */
  readonly kinds?: readonly KindName[];
  /** The kinds to be granted at once, of `kinds`. Default: all of them. */
  readonly grant?: readonly KindName[];
  /** Makes it NAMED, as for allocate(). */
  readonly name?: string;
  readonly lifetime?: LifetimeName;
}

const SOURCES = { OPAQUE_FD: 'KIND_OPAQUE_FD', DMA_BUF: 'KIND_DMA_BUF', MEMFD: 'KIND_MAPPABLE' } as const;
const SOURCE_NAMES = ['OPAQUE_FD', 'DMA_BUF', 'MEMFD'] as const;

/**
 * Without the fd, which goes beside it (importedFd).
 * @throws VkmemError INVALID_ARGUMENT, INVALID_SIZE, SIZE_ABOVE_MAXIMUM, KIND_NOT_REQUESTED,
 *   KIND_UNSUPPORTED, INVALID_NAME.
 */
export function importRequest(options: ImportOptions): Draft<'ImportRequest'> {
  const { size, memoryTypeIndex, deviceUuid, driverUuid, kinds = [], grant = kinds } = options;
  const source = checkWord('source', options.source, SOURCE_NAMES);
  if (source === 'OPAQUE_FD') {
    // The fd itself says none of this, and a wrong guess is undefined behaviour in the driver.
    checkSize(size);
    checkUint32('memoryTypeIndex', memoryTypeIndex);
    checkUuid('deviceUuid', deviceUuid);
    checkUuid('driverUuid', driverUuid);
  }
  return {
    source: SOURCES[source],
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
 * A duplicate of the caller's fd; the receiver owns it.
 * @throws VkmemError INVALID_ARGUMENT where it is no open descriptor.
 * @throws KernelError EMFILE.
 */
export function importedFd(fd: OwnedFd | number): OwnedFd {
  try {
    return OwnedFd.duplicateOf(typeof fd === 'number' ? fd : fd.fd, 'to be imported');
  } catch (failure) {
    if (isKernelError(failure) && failure.code !== 'EBADF') throw failure;
    throw new VkmemError('INVALID_ARGUMENT', `fd: ${String(failure)}.`, { field: 'fd' }, failure);
  }
}
