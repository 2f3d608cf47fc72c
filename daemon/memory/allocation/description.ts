/**
 * A memory plan as the contract describes it: the driver's memory requirements of a resource, the resource,
 * the pages, the hints.
 */
import type { Decoded } from '@vkmemd/proto';
import {
  type MemoryPlan,
  type NativeResource,
  TILING_DRM_FORMAT_MODIFIER,
  TILING_LINEAR,
} from '../../vulkan/device.js';
import type { Hints } from '../../vulkan/hints.js';

const IMAGE_TYPES = ['IMAGE_TYPE_1D', 'IMAGE_TYPE_2D', 'IMAGE_TYPE_3D'] as const;
const TILINGS: Readonly<Record<number, 'IMAGE_TILING_LINEAR' | 'IMAGE_TILING_DRM_FORMAT_MODIFIER'>> = {
  [TILING_LINEAR]: 'IMAGE_TILING_LINEAR',
  [TILING_DRM_FORMAT_MODIFIER]: 'IMAGE_TILING_DRM_FORMAT_MODIFIER',
};

/** The driver's memory requirements of the resource; null without one. */
export function describeRequirements({ requirements }: MemoryPlan): Decoded<'MemoryRequirements'> | null {
  if (requirements === undefined) return null;
  const { size, alignment, ...rest } = requirements;
  return { sizeBytes: size, alignmentBytes: alignment, ...rest };
}

/** A resource as the contract describes it. */
export function describeResource(resource: NativeResource | undefined): {
  buffer?: Decoded<'BufferDescription'>;
  image?: Decoded<'ImageDescription'>;
} {
  if (resource === undefined) return {};
  if (resource.what === 'buffer') return { buffer: { usage: resource.usage } };
  const { what: _what, type, tiling, modifiers = [], planes: _planes, ...rest } = resource;
  return {
    image: {
      ...rest,
      type: IMAGE_TYPES[type] ?? 'IMAGE_TYPE_UNSPECIFIED',
      tiling: TILINGS[tiling] ?? 'IMAGE_TILING_OPTIMAL',
      drmFormatModifiers: [...modifiers],
    },
  };
}

/** The class of its pages, and what decided whether it is dedicated. */
export function describePages({
  pages,
}: MemoryPlan): Pick<Decoded<'Allocation'>, 'pageSize' | 'dedicatedBy'> {
  const { size, by } = pages ?? { size: 'UNSPECIFIED', by: 'UNSPECIFIED' };
  return { pageSize: `PAGE_SIZE_${size}`, dedicatedBy: `DEDICATED_BY_${by}` };
}

/** The hints as requested; null for none. */
export function describeHints(hints: Hints | undefined): Decoded<'Allocation'>['hints'] {
  if (!hints) return null;
  const { alignment: alignmentBytes, hugePage: hugePageBytes, powerOfTwo, prefault, reopenable } = hints;
  return { powerOfTwo, alignmentBytes, prefault, hugePageBytes, reopenable };
}
