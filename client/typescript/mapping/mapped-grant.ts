/**
 * MappedGrant: the grants of one allocation that this process holds, with their fds and the maps made of
 * them. A grant may have no fd: that of an RDMA address, which is a number and holds nothing.
 *
 * It sends nothing to the daemon. drop() unmaps and closes everything at once and can be called at any time.
 * A map outlives the daemon, whose end closes no fd here, but not its MappedGrant.
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

/** A window to be mapped, in bytes. */
export interface MapOptions {
  /** Where it begins in the allocation; need not be at a page. Default 0. */
  readonly offset?: Bytes;
  /** Default: the rest. */
  readonly length?: Bytes;
  /**
   * Default: what was granted. Through 'ro', others' writes are seen; one's own stay in a private copy of
   * their page, which then no longer follows the memory.
   */
  readonly access?: AccessName;
}

/** The result of drop(). */
export interface Dropped {
  /** False the second time: nothing was held any more. */
  readonly held: boolean;
  /** Where a dma-buf's access could not be ended: the first failure. Everything was closed nevertheless. */
  readonly failure: unknown;
}

/**
 * A multiple of every page size that Linux has on the machines this runs on (4, 16 and 64 KiB); huge pages
 * may be larger.
 */
const PAGE_BYTES = 65_536n;
const LARGEST_BUFFER = BigInt(constants.MAX_LENGTH);

export class MappedGrant {
  readonly grants: readonly Grant[];
  readonly #fds: readonly OwnedFd[];
  readonly #maps = new Set<MemoryMap>();
  readonly #onDrop: (mappedGrant: MappedGrant) => void;
  #dropped = false;

  /**
   * @param fds of the grants, in their order, as many as they say; owned from here.
   * @param onDrop called once, at drop().
   */
  constructor(grants: readonly Grant[], fds: readonly OwnedFd[], onDrop: (mappedGrant: MappedGrant) => void) {
    this.grants = grants;
    this.#fds = fds;
    this.#onDrop = onDrop;
  }

  get dropped(): boolean {
    return this.#dropped;
  }

  /**
   * @returns a copy of the kind's fd; the caller owns it.
   * @throws VkmemError KIND_UNSUPPORTED, KIND_NOT_REQUESTED, NOT_FOUND once dropped.
   */
  duplicate(kind: KindName): OwnedFd {
    const found = this.#find(checkKind(kind));
    if (!found?.fd)
      throw new VkmemError('KIND_NOT_REQUESTED', `No fd of kind ${kind} was granted.`, { kind });
    return found.fd.dup();
  }

  /** @throws VkmemError KIND_NOT_REQUESTED, NOT_FOUND once dropped. */
  remoteAddress(): bigint {
    const found = this.#find('RDMA_ADDRESS');
    if (found) return found.grant.remoteAddress;
    throw new VkmemError('KIND_NOT_REQUESTED', 'No RDMA address was granted.', { kind: 'RDMA_ADDRESS' });
  }

  /**
   * @throws VkmemError NOT_MAPPABLE, NOT_PERMITTED, INVALID_RANGE, INVALID_ARGUMENT, NOT_FOUND once dropped.
   */
  map({ offset = 0n, length, access }: MapOptions): MemoryMap {
    const found = this.#find('MAPPABLE');
    if (!found?.fd || found.grant.mapSizeBytes === 0n) {
      throw new VkmemError('NOT_MAPPABLE', 'No MAPPABLE grant of it is held.');
    }
    const { grant, fd } = found;
    const granted = grant.access === accessToWire('ro') ? 'ro' : 'rw';
    const wanted = checkAccess(access ?? granted);
    if (wanted === 'rw' && granted === 'ro') {
      throw new VkmemError('NOT_PERMITTED', 'It was granted read-only; claim it with access rw to write.');
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

  /** Unmaps and closes everything, also after a failure; every view has length 0 afterwards. */
  drop(): Dropped {
    if (this.#dropped) return { held: false, failure: undefined };
    this.#dropped = true;
    let failure: unknown;
    for (const map of [...this.#maps]) {
      try {
        map.unmap();
      } catch (unended) {
        failure ??= unended;
      }
    }
    closeAll(this.#fds);
    this.#onDrop(this);
    return { held: true, failure };
  }

  /** The first grant of the kind, and its fd where it has one. */
  #find(kind: KindName): { grant: Grant; fd: OwnedFd | undefined } | undefined {
    if (this.#dropped) throw new VkmemError('NOT_FOUND', 'This memory was released, or its client closed.');
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
 * A window and the pages it needs: `page` bytes into the memory, `bytes` long, the window `lead` bytes into
 * them.
 */
interface Window {
  readonly offset: bigint;
  readonly length: number;
  readonly page: bigint;
  readonly lead: number;
  readonly bytes: number;
}

/** @param page windows are mapped from multiples of it on. */
function windowOf(size: bigint, from: Bytes, wanted: Bytes | undefined, page: bigint): Window {
  const offset = checkRangePart('offset', from, 0n);
  const length = wanted === undefined ? size - offset : checkRangePart('length', wanted, 1n);
  if (length <= 0n || offset + length > size) {
    throw new VkmemError('INVALID_RANGE', `${length} bytes at ${offset} are not inside ${size} bytes.`);
  }
  const lead = offset % page;
  const bytes = lead + length;
  if (bytes > LARGEST_BUFFER) {
    throw new VkmemError(
      'INVALID_RANGE',
      `A window of ${length} bytes is larger than one ArrayBuffer can be; map windows of at most ${LARGEST_BUFFER} bytes, offset modulo ${page} included.`,
      { maximum_bytes: String(LARGEST_BUFFER) },
    );
  }
  return { offset, length: Number(length), page: offset - lead, lead: Number(lead), bytes: Number(bytes) };
}
