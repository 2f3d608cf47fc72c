/**
 * Converts a request to a plan of the memory, or fails with the reason why that is impossible.
 *
 * If a request describes a buffer or an image, the driver is queried about it: external properties for every
 * handle type and their combination, memory requirements, and whether the memory must or should be dedicated
 * to it. Without a description, as for virtual machines, nothing restricts the choice of memory types; the
 * memory is dedicated to a transfer buffer if the driver requires that, if dedicated memory has larger pages
 * (page-measurement.ts), or if the request demands it. Planning leaves nothing allocated: the resource whose requirements are queried is destroyed again.
 *
 * MAPPABLE memory is a memfd where the device can import one. Where the driver does not allow that together
 * with the other kinds or with the resource, it is a dma-buf, if that can be mapped.
 */
import { type KindName, VkmemError } from '@vkmemd/proto';
import type { Capabilities, MappableWay } from './capabilities.js';
import { CUDA_UNIT } from './cuda-export.js';
import { isDedicated, isMeasurable, pagesOf, wishFor } from './dedication.js';
import { native } from './errors.js';
import {
  bitsOf,
  type ExternalSupport,
  refusalOf,
  supportForBuffers,
  supportForResource,
} from './external-support.js';
import { HandleType } from './flags.js';
import { type Hints, onlyByMemfd, requireHinted, roundFor } from './hints.js';
import { planesOf, withModifier } from './image-layout.js';
import { kindUnsupported, requireKinds, requirePublishable } from './kinds.js';
import type { MemoryPlan, MemoryRequest } from './memory-plan.js';
import { ANY_TYPE, cacheTypeOf, chooseType } from './memory-types.js';
import type { DeviceInfo, NativeDevice, NativeResource, Requirements } from './native.js';
import { asMade, sized, TRANSFER } from './resource.js';

/** The handle type that memory of a kind is exported as; MAPPABLE depends on the way. */
const EXPORTED_AS: Readonly<Record<KindName, number>> = {
  MAPPABLE: 0,
  OPAQUE_FD: HandleType.OPAQUE_FD,
  DMA_BUF: HandleType.DMA_BUF,
  RDMA_ADDRESS: HandleType.RDMA_ADDRESS,
};

/** The number of buffers whose requirements are remembered. */
const MAX_KNOWN = 256;

export class Planner {
  readonly #device: NativeDevice;
  readonly #info: DeviceInfo;
  readonly #capabilities: Capabilities;
  readonly #known = new Map<string, Requirements>();

  constructor(device: NativeDevice, info: DeviceInfo, capabilities: Capabilities) {
    this.#device = device;
    this.#info = info;
    this.#capabilities = capabilities;
  }

  /**
   * `size` in bytes, rounded up to the device's unit (pages, host import, buffers) and as the hints require.
   */
  roundSize(size: bigint, hints?: Hints): bigint {
    return roundFor(size, this.#capabilities.unit, hints);
  }

  /**
   * @throws VkmemError KIND_NOT_REQUESTED, KINDS_EXCLUSIVE, KIND_UNSUPPORTED with the reason, NOT_MAPPABLE,
   *   NOT_PUBLISHABLE, NO_MEMORY_TYPE, INVALID_SIZE, SIZE_ABOVE_MAXIMUM, INVALID_ARGUMENT, DEVICE_LOST.
   */
  async plan(request: MemoryRequest): Promise<MemoryPlan> {
    const kinds = [...new Set(request.kinds)];
    const { mappableBy } = this.#capabilities;
    requireKinds(kinds, this.#capabilities.kinds, this.#capabilities.together);
    if (request.publishable) requirePublishable(kinds, mappableBy);
    requireHinted(request.hints, kinds, mappableBy);
    this.#requireHeap(request.size);
    if (!kinds.includes('MAPPABLE')) return this.#planAs(undefined, kinds, request);
    const needing = request.publishable ? 'publishable' : onlyByMemfd(request.hints);
    const [way, other] = needing ? (['memfd'] as const) : mappableBy;
    try {
      return await this.#planAs(way, kinds, request);
    } catch (error) {
      if (!(error instanceof VkmemError) || error.code !== 'KIND_UNSUPPORTED') throw error;
      if (needing && mappableBy.includes('dma-buf')) throw onlyWithMemfd(needing, error);
      if (!other) throw error;
      // The refusal of the preferred way is the one that says most.
      return this.#planAs(other, kinds, request).catch((second) => {
        throw second instanceof VkmemError && second.code === 'KIND_UNSUPPORTED' ? error : second;
      });
    }
  }

  /** @param way What the memory is if it is MAPPABLE; otherwise undefined. */
  async #planAs(
    way: MappableWay | undefined,
    kinds: readonly KindName[],
    request: MemoryRequest,
  ): Promise<MemoryPlan> {
    const { prefersDedicated, type } = this.#capabilities.pages;
    const { dedication = 'AUTO', resource } = request;
    if (prefersDedicated && dedication === 'AUTO' && way !== 'memfd' && isMeasurable(kinds, resource)) {
      try {
        const plan = await this.#planWith(way, kinds, request, true);
        if (plan.memoryTypeIndex === type) return plan;
      } catch (failure) {
        // What is only faster must not be refused.
        if (!(failure instanceof VkmemError) || failure.code === 'DEVICE_LOST') throw failure;
      }
    }
    return this.#planWith(way, kinds, request, false);
  }

  /** @param larger Whether it is to be dedicated for its pages, if nothing else decides. */
  async #planWith(
    way: MappableWay | undefined,
    kinds: readonly KindName[],
    request: MemoryRequest,
    larger: boolean,
  ): Promise<MemoryPlan> {
    const memfd = way === 'memfd';
    const byDmaBuf = way === 'dma-buf' ? HandleType.DMA_BUF : 0;
    const byCuda = this.#capabilities.dmaBufByCuda && kinds.includes('DMA_BUF');
    if (byCuda && request.resource?.what === 'image') throw imageByCuda();
    // CUDA makes its dma-bufs from the OPAQUE_FD.
    const typeOf = (kind: KindName) => EXPORTED_AS[byCuda && kind === 'DMA_BUF' ? 'OPAQUE_FD' : kind];
    const handleTypes = kinds.reduce((types, kind) => types | typeOf(kind), byDmaBuf);
    const declared = handleTypes | (memfd ? HandleType.HOST_ALLOCATION : 0);
    const unit = byCuda ? CUDA_UNIT : 1n;
    const whole = roundUp(this.roundSize(request.size, request.hints), unit);
    if (request.hints) this.#requireHeap(whole);
    const described = request.resource && sized(asMade(request.resource), whole);
    const bound = described && (await withModifier(this.#device, this.#info, described, declared));
    const { dedicatedOnly: byDriver } = await this.#support(kinds, bound, declared);
    // NVIDIA's driver makes no dma-buf of memory that is not dedicated.
    const dedicatedOnly = byDriver || byCuda;
    const wish = wishFor(request, whole, larger, this.#info.limits.maxBufferSize);
    const candidate = bound ?? (dedicatedOnly || wish.wanted ? sized(TRANSFER, whole) : undefined);
    const needs = candidate && (await this.#requirements(candidate, declared));
    const how = { ...wish, only: dedicatedOnly, memfd, hints: request.hints };
    const dedicated = candidate !== undefined && needs !== undefined && isDedicated(candidate, needs, how);
    // A buffer that the request does not have restricts nothing.
    const [resource, requirements] = dedicated || bound ? [candidate, needs] : [];
    const planes = await planesOf(this.#device, resource, declared);
    const size = this.#size(request, requirements, dedicated);
    const memoryTypeIndex = chooseType({
      ...request,
      kinds,
      types: this.#info.memoryTypes,
      allowed: (requirements?.memoryTypeBits ?? ANY_TYPE) & (memfd ? this.#capabilities.hostBits : ANY_TYPE),
      allowedBy: resource
        ? `the driver does not allow it for the ${bound ? '' : 'transfer '}${resource.what}`
        : 'the driver does not allow it',
      transferable: this.#transferableAs(declared),
    });
    const { flags, heapIndex } = this.#info.memoryTypes[memoryTypeIndex] ?? { flags: 0, heapIndex: 0 };
    const made = { kinds, size, memoryTypeIndex, resource, dedicated };
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
      dmaBufCounted: !memfd && (handleTypes & HandleType.DMA_BUF) !== 0 && this.#capabilities.dmaBufCounted,
      ...(byCuda && { dmaBufByCuda: this.#info.deviceUuid }),
      dedicated: dedicated ? resource : undefined,
      pages: memfd ? undefined : pagesOf(this.#capabilities.pages, made, how, needs),
      resource,
      requirements,
      planes,
    };
  }

  /** Refuses a size that exceeds every heap, before the driver is called. */
  #requireHeap(size: bigint): void {
    const largest = this.#info.heaps.reduce((max, heap) => (heap.size > max ? heap.size : max), 0n);
    if (size <= largest) return;
    const reason = `${size} bytes were requested; the largest heap has ${largest}.`;
    const particulars = { requested_bytes: String(size), maximum_bytes: String(largest) };
    throw new VkmemError('SIZE_ABOVE_MAXIMUM', reason, particulars);
  }

  /**
   * The types that transfer buffers of these handle types can be bound to; often fewer than for other
   * buffers.
   */
  #transferableAs(declared: number): number {
    const { transferBits, exportBits } = this.#capabilities;
    return bitsOf(declared).reduce((bits, type) => bits & (exportBits.get(type) ?? 0), transferBits);
  }

  async #support(
    kinds: readonly KindName[],
    resource: NativeResource | undefined,
    declared: number,
  ): Promise<ExternalSupport> {
    const support = resource
      ? await supportForResource(this.#device, this.#info, resource, declared).catch((error) => {
          throw refusalOf(resource, error);
        })
      : supportForBuffers(this.#info, declared);
    const { refusal } = support;
    if (refusal) throw kindUnsupported(kinds.join(' with '), refusal.reason, refusal.missing);
    return support;
  }

  /**
   * The same for all equal resources (specification of vkGetBufferMemoryRequirements2), so those of a buffer are
   * asked for once.
   * @throws VkmemError KIND_UNSUPPORTED if the driver cannot create the resource.
   */
  async #requirements(resource: NativeResource, declared: number): Promise<Requirements> {
    const key = resource.what === 'buffer' ? `${resource.size} ${resource.usage} ${declared}` : undefined;
    const known = key && this.#known.get(key);
    if (known) return known;
    try {
      const needs = await native(this.#device.requirements(resource, declared));
      if (key) {
        // The oldest one: a Map has the order of its entries.
        const [oldest] = this.#known.size < MAX_KNOWN ? [] : this.#known.keys();
        if (oldest !== undefined) this.#known.delete(oldest);
        this.#known.set(key, needs);
      }
      return needs;
    } catch (error) {
      throw refusalOf(resource, error);
    }
  }

  /**
   * Bytes: dedicated memory has exactly the size that its resource requires; all other memory has whole
   * units.
   */
  #size(
    { size, resource, hints }: MemoryRequest,
    requirements: Requirements | undefined,
    dedicated: boolean,
  ): bigint {
    const needed = requirements?.size ?? 0n;
    if (resource?.what === 'image' && size > 0n && size < needed) {
      throw new VkmemError('INVALID_SIZE', `The image requires ${needed} bytes; ${size} were requested.`, {
        required_bytes: String(needed),
      });
    }
    const bytes = dedicated && requirements ? needed : this.roundSize(size > needed ? size : needed, hints);
    if (bytes <= 0n) throw new VkmemError('INVALID_SIZE', `${size} bytes were requested; the minimum is 1.`);
    return bytes;
  }
}

const roundUp = (size: bigint, unit: bigint): bigint => ((size + unit - 1n) / unit) * unit;

const imageByCuda = (): VkmemError =>
  kindUnsupported(
    'DMA_BUF',
    'the dma-bufs of this device are made by CUDA, of memory for buffers only.',
    'export',
  );

/** @param needing The field of the request that only a memfd satisfies. */
function onlyWithMemfd(needing: string, error: VkmemError): VkmemError {
  const advice = `Without \`${needing}\` MAPPABLE can be a dma-buf, which more kinds can be combined with.`;
  return new VkmemError('KIND_UNSUPPORTED', `${error.reason} ${advice}`, error.metadata, error);
}
