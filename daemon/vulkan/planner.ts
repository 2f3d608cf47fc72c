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
import { native } from './errors.js';
import {
  bitsOf,
  type ExternalSupport,
  refusalOf,
  supportForBuffers,
  supportForResource,
} from './external-support.js';
import { HandleType } from './flags.js';
import { boundsSize, type Hints, onlyByMemfd, requireHinted, roundFor } from './hints.js';
import { planesOf, withModifier } from './image-layout.js';
import { kindUnsupported, requireKinds, requirePublishable } from './kinds.js';
import type { Dedication, MemoryPlan, MemoryRequest, Pages } from './memory-plan.js';
import { ANY_TYPE, cacheTypeOf, chooseType } from './memory-types.js';
import type { DeviceInfo, NativeDevice, NativeResource, Requirements } from './native.js';
import { asMade, isClearable, sized, TRANSFER } from './resource.js';

/** The handle type that memory of a kind is exported as; MAPPABLE depends on the way. */
const EXPORTED_AS: Readonly<Record<KindName, number>> = {
  MAPPABLE: 0,
  OPAQUE_FD: HandleType.OPAQUE_FD,
  DMA_BUF: HandleType.DMA_BUF,
  RDMA_ADDRESS: HandleType.RDMA_ADDRESS,
};

/** Smaller memory has no large page of any driver. */
const MIN_LARGE_BYTES = 2n << 20n;
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
    const measured = way !== 'memfd' && kinds.includes('OPAQUE_FD') && resource?.what !== 'image';
    if (measured && prefersDedicated && dedication === 'AUTO') {
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
    const handleTypes = kinds.reduce((types, kind) => types | EXPORTED_AS[kind], byDmaBuf);
    const declared = handleTypes | (memfd ? HandleType.HOST_ALLOCATION : 0);
    const whole = this.roundSize(request.size, request.hints);
    if (request.hints) this.#requireHeap(whole);
    const described = request.resource && sized(asMade(request.resource), whole);
    const bound = described && (await withModifier(this.#device, this.#info, described, declared));
    const { dedicatedOnly } = await this.#support(kinds, bound, declared);
    const wish = this.#wish(request, whole, larger);
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
      dedicated: dedicated ? resource : undefined,
      pages: memfd
        ? undefined
        : this.#pages({ kinds, size, memoryTypeIndex, resource, dedicated }, how, needs),
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
   * Whether dedicated memory is wanted, besides what the driver says.
   * @param larger Whether its pages are larger.
   * @throws VkmemError SIZE_ABOVE_MAXIMUM if it is requested, and no buffer can be so large.
   */
  #wish({ dedication = 'AUTO', resource }: MemoryRequest, whole: bigint, larger: boolean): Wish {
    if (dedication === 'NEVER') return { dedication, wanted: false };
    const most = this.#info.limits.maxBufferSize;
    const fits = resource?.what === 'image' || most === 0n || whole <= most;
    if (dedication === 'AUTO') return { dedication, wanted: larger && fits };
    if (fits) return { dedication, wanted: true };
    const reason = `${whole} bytes were requested; a buffer, to which memory is dedicated, has at most ${most}.`;
    const particulars = { requested_bytes: String(whole), maximum_bytes: String(most) };
    throw new VkmemError('SIZE_ABOVE_MAXIMUM', reason, particulars);
  }

  #pages(made: Made, how: How, needs: Requirements | undefined): Pages {
    const { pages } = this.#capabilities;
    const { kinds, dedicated } = made;
    const measured =
      kinds.includes('OPAQUE_FD') && made.resource?.what !== 'image' && made.memoryTypeIndex === pages.type;
    const known = measured && pages.prefersDedicated && made.size >= MIN_LARGE_BYTES;
    const size = known ? (dedicated ? 'LARGE' : 'SMALL') : 'UNSPECIFIED';
    if (how.dedication !== 'AUTO') return { size, by: 'REQUEST' };
    if (dedicated && (isRequired(needs, how) || needs?.prefersDedicated)) return { size, by: 'DRIVER' };
    return { size, by: measured && dedicated === pages.prefersDedicated ? 'MEASUREMENT' : 'DEFAULT' };
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

/** What the pages of memory depend on. */
interface Made extends Pick<MemoryPlan, 'kinds' | 'size' | 'memoryTypeIndex' | 'resource'> {
  readonly dedicated: boolean;
}

/** What a request and a measurement say about dedicated memory. */
interface Wish {
  readonly dedication: Dedication;
  readonly wanted: boolean;
}

/** What decides whether memory is dedicated, besides the driver's requirements. */
interface How extends Wish {
  /** Whether the driver requires it of all such resources. */
  readonly only: boolean;
  readonly memfd: boolean;
  readonly hints: Hints | undefined;
}

const isRequired = (needs: Requirements | undefined, { only }: How): boolean =>
  only || needs?.requiresDedicated === true;

/**
 * Whether the memory is dedicated: if the driver requires or prefers it, or it is wanted. A memfd is never
 * dedicated (VUID-VkMemoryAllocateInfo-pNext-02806), nor is memory whose hints require another size than the
 * resource's, nor memory that could not be zeroed then. In these cases a preference is ignored, and a
 * requirement, of the driver or of the request, makes the request fail.
 * @throws VkmemError KIND_UNSUPPORTED.
 */
function isDedicated(resource: NativeResource, needs: Requirements, how: How): boolean {
  const { dedication, wanted, memfd, hints } = how;
  const required = isRequired(needs, how);
  if (required && dedication === 'NEVER') {
    const reason = 'the driver requires it to be dedicated, and the request has the dedication NEVER.';
    throw kindUnsupported(resource.what, reason, 'export');
  }
  const misfits = boundsSize(hints) && roundFor(needs.size, 1n, hints) !== needs.size;
  if (required || dedication === 'ALWAYS') {
    const who = required ? 'the driver' : 'the request';
    if (memfd) {
      const reason = `${who} requires it to be dedicated, which imported host memory cannot be.`;
      throw kindUnsupported('MAPPABLE', reason, 'export');
    }
    if (misfits) {
      const reason = `${who} requires it to be dedicated, with exactly ${needs.size} bytes, which the hints do not allow.`;
      throw kindUnsupported(resource.what, reason, 'export');
    }
    if (required || isClearable(resource)) return true;
    const reason =
      'the request requires it to be dedicated, but images of compressed formats cannot be zeroed.';
    throw kindUnsupported(resource.what, reason, 'export');
  }
  if (dedication === 'NEVER') return false;
  return (needs.prefersDedicated || wanted) && !memfd && !misfits && isClearable(resource);
}

/** @param needing The field of the request that only a memfd satisfies. */
function onlyWithMemfd(needing: string, error: VkmemError): VkmemError {
  const advice = `Without \`${needing}\` MAPPABLE can be a dma-buf, which more kinds can be combined with.`;
  return new VkmemError('KIND_UNSUPPORTED', `${error.reason} ${advice}`, error.metadata, error);
}
