/**
 * MappedGrant: the grants of one allocation that this process holds, with their fds and maps. The grant of an
 * RDMA address has no fd: the address is a number and does not hold the memory.
 *
 * It sends nothing to the daemon. drop() unmaps and closes everything at once, and can be called at any time.
 * Fds and maps stay valid when the daemon ends; drop() ends them.
 */
import { constants } from 'node:buffer';
import {
  type AccessName,
  accessToWire,
  CpuAccess,
  closeAll,
  DisposableStack,
  type Grant,
  hugePageOf,
  type KindName,
  kindToWire,
  mapFd,
  type OwnedFd,
  VkmemError,
} from '@vkmemd/proto';
import { type Bytes, checkAccess, checkKind, checkRangePart } from '../request/arguments.js';
import { MemoryMap } from './memory-map.js';

/** The window to map, in bytes. */
export interface MapOptions {
  /** The start of the window in the allocation. Need not be page-aligned. Default 0. */
  readonly offset?: Bytes;
  /** The length of the window. Default: up to the end of the allocation. */
  readonly length?: Bytes;
  /**
   * Default: the granted access. With 'ro', writes of others are visible; a write through this map changes a
   * private copy of the page, after which later writes of others to that page are no longer visible. Of a dma-buf
   * (`dmaBufSync` of the grant) there is no private copy: a write through an 'ro' map ends the process (SIGSEGV).
   */
  readonly access?: AccessName;
}

/** The result of drop(). */
export interface Dropped {
  /** Whether anything was held; false at a second call. */
  readonly held: boolean;
  /** The first failure to end the access to a dma-buf, if any. Everything was closed in any case. */
  readonly failure: unknown;
  /** Resolves when the fds are closed. */
  readonly closed: Promise<unknown>;
}

/** Closing fds of less is quicker than another thread. */
const LARGE_BYTES = 1n << 20n;

/**
 * A multiple of all page sizes of Linux on the supported machines (4, 16 and 64 KiB). Huge pages may be
 * larger.
 */
const PAGE_BYTES = 65_536n;
const LARGEST_BUFFER = BigInt(constants.MAX_LENGTH);

export class MappedGrant {
  readonly grants: readonly Grant[];
  readonly #fds: readonly OwnedFd[];
  readonly #large: boolean;
  readonly #maps = new Set<MemoryMap>();
  readonly #onDrop: (mappedGrant: MappedGrant) => void;
  #dropped = false;

  /**
   * @param fds The fds of the grants, in the order of the grants; taken.
   * @param size Of the allocation, in bytes.
   * @param onDrop Called once, by drop().
   */
  constructor(
    grants: readonly Grant[],
    fds: readonly OwnedFd[],
    size: bigint,
    onDrop: (mappedGrant: MappedGrant) => void,
  ) {
    this.grants = grants;
    this.#fds = fds;
    this.#large = size >= LARGE_BYTES;
    this.#onDrop = onDrop;
  }

  get dropped(): boolean {
    return this.#dropped;
  }

  /**
   * @returns A duplicate of the fd of a kind, which the caller owns.
   * @throws VkmemError KIND_UNSUPPORTED, KIND_NOT_REQUESTED; NOT_FOUND after drop().
   */
  duplicate(kind: KindName): OwnedFd {
    const found = this.#find(checkKind(kind));
    if (!found?.fd)
      throw new VkmemError(
        'KIND_NOT_REQUESTED',
        `No fd of kind ${kind} was granted; request the kind in the allocate or claim.`,
        { kind },
      );
    return found.fd.dup();
  }

  /** @throws VkmemError KIND_NOT_REQUESTED; NOT_FOUND after drop(). */
  remoteAddress(): bigint {
    const found = this.#find('RDMA_ADDRESS');
    if (found) return found.grant.remoteAddress;
    throw new VkmemError(
      'KIND_NOT_REQUESTED',
      'No RDMA address was granted; request the kind in the allocate or claim.',
      { kind: 'RDMA_ADDRESS' },
    );
  }

  /**
   * @throws VkmemError NOT_MAPPABLE, NOT_PERMITTED, INVALID_RANGE, INVALID_ARGUMENT; NOT_FOUND after drop().
   */
  map({ offset = 0n, length, access }: MapOptions): MemoryMap {
    const found = this.#find('MAPPABLE');
    if (!found?.fd || found.grant.mapSizeBytes === 0n) {
      throw new VkmemError('NOT_MAPPABLE', 'This client holds no MAPPABLE grant of the allocation.');
    }
    const { grant, fd } = found;
    const granted = grant.access === accessToWire('ro') ? 'ro' : 'rw';
    const wanted = checkAccess(access ?? granted);
    if (wanted === 'rw' && granted === 'ro') {
      throw new VkmemError(
        'NOT_PERMITTED',
        'The allocation was granted read-only; claim it with access rw to write.',
      );
    }
    const huge = hugePageOf(fd);
    const page = huge > PAGE_BYTES ? huge : PAGE_BYTES;
    const range = windowOf(grant.mapSizeBytes, offset, length, page);
    using opened = new DisposableStack();
    const mapping = opened.use(
      mapFd(fd, { offset: grant.mapOffsetBytes + range.page, length: range.bytes, access: wanted }),
    );
    const cpu = grant.dmaBufSync ? new CpuAccess(fd, wanted) : undefined;
    const map = new MemoryMap(mapping, cpu, range.offset, range, (unmapped) => this.#maps.delete(unmapped));
    this.#maps.add(map);
    opened.move();
    return map;
  }

  /** Unmaps and closes everything, also after a failure. All views have length 0 afterwards. */
  drop(): Dropped {
    if (this.#dropped) return { held: false, failure: undefined, closed: Promise.resolve() };
    this.#dropped = true;
    let failure: unknown;
    for (const map of [...this.#maps]) {
      try {
        map.unmap();
      } catch (unended) {
        failure ??= unended;
      }
    }
    // If they are the last ones, closing them frees the pages.
    const closing = this.#large ? this.#fds.map((fd) => fd.closeLater()) : [];
    closeAll(this.#fds);
    this.#onDrop(this);
    return { held: true, failure, closed: Promise.all(closing) };
  }

  /** The first grant of a kind, and its fd if it has one. */
  #find(kind: KindName): { grant: Grant; fd: OwnedFd | undefined } | undefined {
    if (this.#dropped)
      throw new VkmemError('NOT_FOUND', 'This memory was released, or its client was closed.');
    let at = 0;
    for (const grant of this.grants) {
      if (grant.kind === kindToWire(kind))
        return { grant, fd: grant.fdCount > 0 ? this.#fds[at] : undefined };
      at += grant.fdCount;
    }
    return undefined;
  }
}

/**
 * A window, and the pages that it needs. The pages begin `page` bytes into the memory and have `bytes` bytes;
 * the window begins `lead` bytes into the pages.
 */
interface Window {
  readonly offset: bigint;
  readonly length: number;
  readonly page: bigint;
  readonly lead: number;
  readonly bytes: number;
}

/** @param page Mappings begin at multiples of it. */
function windowOf(size: bigint, from: Bytes, wanted: Bytes | undefined, page: bigint): Window {
  const offset = checkRangePart('offset', from, 0n);
  const length = wanted === undefined ? size - offset : checkRangePart('length', wanted, 1n);
  if (length <= 0n || offset + length > size) {
    throw new VkmemError(
      'INVALID_RANGE',
      `${length} bytes at offset ${offset} are not inside the ${size} bytes of the allocation.`,
    );
  }
  const lead = offset % page;
  const bytes = lead + length;
  if (bytes > LARGEST_BUFFER) {
    throw new VkmemError(
      'INVALID_RANGE',
      `length: ${length} plus offset modulo ${page} exceeds the ${LARGEST_BUFFER} bytes of an ArrayBuffer.`,
      { maximum_bytes: String(LARGEST_BUFFER) },
    );
  }
  return { offset, length: Number(length), page: offset - lead, lead: Number(lead), bytes: Number(bytes) };
}
