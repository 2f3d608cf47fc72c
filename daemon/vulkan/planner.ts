/**
 * Plans: from what a request wants to how the memory is made, or why it cannot be.
 *
 * Where a request describes a buffer or an image, the driver is asked about it: external properties for every handle
 * type and their combination, memory requirements, and whether the memory must or should be dedicated to it. Without
 * one nothing is known of what will be bound, as in virtualization, so nothing narrows the choice of memory types;
 * only a driver that wants all exportable buffers dedicated gets memory dedicated to a transfer buffer.
 * Plans make nothing that stays: the resource that requirements are asked of is gone again.
 */
import { type KindName, VkmemError } from '@vkmemd/proto';
import { bitsOf, type Claim, claimForBuffers, claimForResource, refusalOf } from './claims.js';
import { native } from './errors.js';
import { HandleType } from './flags.js';
import { boundsSize, type Hints, requireHinted, roundFor } from './hints.js';
import { kindUnsupported, requireKinds, requirePublishable } from './kinds.js';
import { ANY_TYPE, type CacheType, cacheTypeOf, chooseType, type TypeWishes } from './memory-types.js';
import type { DeviceInfo, NativeDevice, NativeResource, Requirements } from './native.js';
import type { ProbeResult } from './probe/probe.js';
import { asMade, isClearable, type Resource, sized, TRANSFER } from './resource.js';

/** What a request says of the memory it wants. */
export interface MemoryRequest extends TypeWishes {
  readonly kinds: readonly KindName[];
  /** Bytes; 0 with an image for as many as it needs. */
  readonly size: bigint;
  /** What will be bound to it. */
  readonly resource?: Resource | undefined;
  /** Whether it may be sealed against writers later. */
  readonly publishable?: boolean;
  readonly hints?: Hints | undefined;
}

/** What an allocation is made of. */
export interface MemoryPlan {
  readonly kinds: readonly KindName[];
  /** Bytes of the VkDeviceMemory. */
  readonly size: bigint;
  readonly memoryTypeIndex: number;
  readonly heapIndex: number;
  /** VkMemoryPropertyFlagBits of the type. */
  readonly propertyFlags: number;
  readonly cacheType: CacheType;
  /** Whether the memory is a memfd that the device imports; otherwise it is the driver's own. */
  readonly memfd: boolean;
  /** Whether seals may be set on the memfd later. */
  readonly publishable: boolean;
  /** As they were asked for; undefined for none. */
  readonly hints?: Hints | undefined;
  /** VkExternalMemoryHandleTypeFlags that the memory is made exportable as; 0 for a memfd that is only mapped. */
  readonly handleTypes: number;
  /** What the memory is dedicated to, as it is made. */
  readonly dedicated: NativeResource | undefined;
  /** What was described, as it is made, and what the driver asks of memory for it. */
  readonly resource: NativeResource | undefined;
  readonly requirements: Requirements | undefined;
}

const EXPORTED_AS: Readonly<Record<KindName, number>> = {
  MAPPABLE: 0,
  OPAQUE_FD: HandleType.OPAQUE_FD,
  DMA_BUF: HandleType.DMA_BUF,
  RDMA_ADDRESS: HandleType.RDMA_ADDRESS,
};

export class Planner {
  readonly #device: NativeDevice;
  readonly #info: DeviceInfo;
  readonly #found: ProbeResult;

  constructor(device: NativeDevice, info: DeviceInfo, found: ProbeResult) {
    this.#device = device;
    this.#info = info;
    this.#found = found;
  }

  /** `size` rounded up to whole pages, to what importing host memory and the driver's buffers need, and to the hints. */
  roundSize(size: bigint, hints?: Hints): bigint {
    return roundFor(size, this.#found.unit, hints);
  }

  /**
   * @throws VkmemError KIND_NOT_REQUESTED, KINDS_EXCLUSIVE, KIND_UNSUPPORTED with the reason, NOT_MAPPABLE,
   *   NOT_PUBLISHABLE, NO_MEMORY_TYPE, INVALID_SIZE, INVALID_ARGUMENT, DEVICE_LOST.
   */
  async plan(request: MemoryRequest): Promise<MemoryPlan> {
    const kinds = [...new Set(request.kinds)];
    requireKinds(kinds, this.#found.kinds, this.#found.together);
    const memfd = kinds.includes('MAPPABLE') && this.#found.mappableBy === 'memfd';
    if (request.publishable) requirePublishable(kinds, this.#found.mappableBy);
    requireHinted(request.hints, kinds, this.#found.mappableBy);
    const handleTypes = this.#exportedAs(kinds);
    const declared = handleTypes | (memfd ? HandleType.HOST_ALLOCATION : 0);
    this.#requireHeap(request.size);
    const whole = this.roundSize(request.size, request.hints);
    if (request.hints) this.#requireHeap(whole);
    const described = request.resource && sized(asMade(request.resource), whole);
    const { dedicatedOnly } = await this.#claim(kinds, described, declared);
    const resource = described ?? (dedicatedOnly ? sized(TRANSFER, whole) : undefined);
    const requirements = resource && (await this.#requirements(resource, declared));
    const dedicated =
      resource !== undefined &&
      requirements !== undefined &&
      this.#isDedicated(resource, requirements, dedicatedOnly, memfd, request.hints);
    const size = this.#size(request, requirements, dedicated);
    const memoryTypeIndex = chooseType({
      ...request,
      kinds,
      types: this.#info.memoryTypes,
      allowed: (requirements?.memoryTypeBits ?? ANY_TYPE) & (memfd ? this.#found.hostBits : ANY_TYPE),
      allowedBy: resource
        ? `the driver does not allow it for the ${resource.what}`
        : 'the driver does not allow it',
      transferable: this.#transferableAs(declared),
    });
    const { flags, heapIndex } = this.#info.memoryTypes[memoryTypeIndex] ?? { flags: 0, heapIndex: 0 };
    return {
      kinds,
      size,
      memoryTypeIndex,
      heapIndex,
      propertyFlags: flags,
      cacheType: cacheTypeOf(flags),
      memfd,
      publishable: request.publishable === true,
      hints: request.hints,
      handleTypes,
      dedicated: dedicated ? resource : undefined,
      resource,
      requirements,
    };
  }

  /** What no heap has is asked of no driver. */
  #requireHeap(size: bigint): void {
    const largest = this.#info.heaps.reduce((max, heap) => (heap.size > max ? heap.size : max), 0n);
    if (size <= largest) return;
    const reason = `${size} bytes were asked for; the largest heap has ${largest}.`;
    const particulars = { requested_bytes: String(size), maximum_bytes: String(largest) };
    throw new VkmemError('SIZE_ABOVE_MAXIMUM', reason, particulars);
  }

  /** The handle types that memory of these kinds is exported as. */
  #exportedAs(kinds: readonly KindName[]): number {
    const byDmaBuf = kinds.includes('MAPPABLE') && this.#found.mappableBy === 'dma-buf';
    return kinds.reduce((types, kind) => types | EXPORTED_AS[kind], byDmaBuf ? HandleType.DMA_BUF : 0);
  }

  /** The types that transfer buffers of these handle types can be bound to; drivers have fewer than of plain ones. */
  #transferableAs(declared: number): number {
    const { transferBits, exportBits } = this.#found;
    return bitsOf(declared).reduce((bits, type) => bits & (exportBits.get(type) ?? 0), transferBits);
  }

  async #claim(
    kinds: readonly KindName[],
    resource: NativeResource | undefined,
    declared: number,
  ): Promise<Claim> {
    const claim = resource
      ? await claimForResource(this.#device, this.#info, resource, declared).catch((error) => {
          throw refusalOf(resource, error);
        })
      : claimForBuffers(this.#info, declared);
    if (claim.refusal)
      throw kindUnsupported(kinds.join(' with '), claim.refusal.reason, claim.refusal.missing);
    return claim;
  }

  /** @throws VkmemError KIND_UNSUPPORTED where the driver cannot make the resource. */
  async #requirements(resource: NativeResource, declared: number): Promise<Requirements> {
    try {
      return await native(this.#device.requirements(resource, declared));
    } catch (error) {
      throw refusalOf(resource, error);
    }
  }

  /**
   * Where it is required, or preferred. A memfd never is (VUID-VkMemoryAllocateInfo-pNext-02806): there a preference
   * gives way, and a requirement is a refusal; so where the hints want another size than the resource's. A preference
   * gives way too where the memory could not be zeroed then.
   */
  #isDedicated(
    resource: NativeResource,
    { prefersDedicated, requiresDedicated, size }: Requirements,
    only: boolean,
    memfd: boolean,
    hints: Hints | undefined,
  ): boolean {
    const required = only || requiresDedicated;
    const misfits = boundsSize(hints) && roundFor(size, 1n, hints) !== size;
    if (required && misfits) {
      const reason = `the driver wants it dedicated, with ${size} bytes exactly, and the hints do not let it.`;
      throw kindUnsupported(resource.what, reason, 'export');
    }
    if (memfd && required) {
      const reason = 'the driver wants it dedicated, which imported host memory cannot be.';
      throw kindUnsupported('MAPPABLE', reason, 'export');
    }
    return required || (prefersDedicated && !memfd && !misfits && isClearable(resource));
  }

  /** Dedicated memory is as large as its resource needs, to the byte; all other in whole pages. */
  #size(
    { size, resource, hints }: MemoryRequest,
    requirements: Requirements | undefined,
    dedicated: boolean,
  ): bigint {
    const needed = requirements?.size ?? 0n;
    if (resource?.what === 'image' && size > 0n && size < needed) {
      throw new VkmemError('INVALID_SIZE', `The image needs ${needed} bytes; ${size} were asked for.`, {
        required_bytes: String(needed),
      });
    }
    const bytes = dedicated && requirements ? needed : this.roundSize(size > needed ? size : needed, hints);
    if (bytes <= 0n) throw new VkmemError('INVALID_SIZE', `${size} bytes were asked for.`);
    return bytes;
  }
}
