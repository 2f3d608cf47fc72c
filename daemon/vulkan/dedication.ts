/**
 * Whether memory is dedicated to one buffer or image (VkMemoryDedicatedAllocateInfo), and what that means for its
 * pages. The driver's requirement decides first, then the request, then the driver's preference, then the measurement
 * (page-measurement.ts).
 */
import { type DedicationName, type KindName, VkmemError } from '@vkmemd/proto';
import { boundsSize, type Hints, roundFor } from './hints.js';
import { kindUnsupported } from './kinds.js';
import type { MemoryPlan, MemoryRequest, Pages } from './memory-plan.js';
import type { NativeResource, Requirements } from './native.js';
import type { PageMeasurement } from './page-measurement.js';
import { isClearable } from './resource.js';

/** Smaller memory has no large page of any driver. */
const MIN_LARGE_BYTES = 2n << 20n;

/** What a request and a measurement say about dedicated memory. */
export interface Wish {
  readonly dedication: DedicationName;
  readonly wanted: boolean;
}

/** What decides whether memory is dedicated, besides the driver's requirements for the resource. */
export interface How extends Wish {
  /** Whether the driver requires it of all such resources. */
  readonly only: boolean;
  readonly memfd: boolean;
  readonly hints: Hints | undefined;
}

/** Whether the measurement is about memory of these kinds for the resource, if its type is the measured one. */
export const isMeasurable = (
  kinds: readonly KindName[],
  resource: { readonly what: 'buffer' | 'image' } | undefined,
): boolean => kinds.includes('OPAQUE_FD') && resource?.what !== 'image';

/**
 * Whether dedicated memory is wanted, besides what the driver says.
 * @param whole Its size in bytes.
 * @param larger Whether its pages are larger.
 * @param most The largest buffer in bytes; 0 where the driver does not report it.
 * @throws VkmemError SIZE_ABOVE_MAXIMUM if it is requested, and no buffer can be so large.
 */
export function wishFor(
  { dedication = 'AUTO', resource }: MemoryRequest,
  whole: bigint,
  larger: boolean,
  most: bigint,
): Wish {
  if (dedication === 'NEVER') return { dedication, wanted: false };
  const fits = resource?.what === 'image' || most === 0n || whole <= most;
  if (dedication === 'AUTO') return { dedication, wanted: larger && fits };
  if (fits) return { dedication, wanted: true };
  const reason = `${whole} bytes were requested; a buffer, to which memory is dedicated, has at most ${most}.`;
  const particulars = { requested_bytes: String(whole), maximum_bytes: String(most) };
  throw new VkmemError('SIZE_ABOVE_MAXIMUM', reason, particulars);
}

const isRequired = (needs: Requirements | undefined, { only }: How): boolean =>
  only || needs?.requiresDedicated === true;

/**
 * Whether the memory is dedicated. A memfd never is (VUID-VkMemoryAllocateInfo-pNext-02806), nor is memory whose hints
 * require another size than the resource's, nor memory that could not be zeroed then. In these cases a preference is
 * ignored, and a requirement, of the driver or of the request, makes the request fail.
 * @throws VkmemError KIND_UNSUPPORTED.
 */
export function isDedicated(resource: NativeResource, needs: Requirements, how: How): boolean {
  const { dedication, wanted, memfd, hints } = how;
  const required = isRequired(needs, how);
  if (required && dedication === 'NEVER') {
    const reason = 'the driver requires it to be dedicated, and the request has the dedication NEVER.';
    throw kindUnsupported(resource.what, reason, 'export');
  }
  const misfits = boundsSize(hints) && roundFor(needs.size, 1n, hints) !== needs.size;
  if (!required && dedication !== 'ALWAYS') {
    const preferred = dedication === 'AUTO' && (needs.prefersDedicated || wanted);
    return preferred && !memfd && !misfits && isClearable(resource);
  }
  const must = `${required ? 'the driver' : 'the request'} requires it to be dedicated,`;
  if (memfd) throw kindUnsupported('MAPPABLE', `${must} which imported host memory cannot be.`, 'export');
  if (misfits) {
    const reason = `${must} with exactly ${needs.size} bytes, which the hints do not allow.`;
    throw kindUnsupported(resource.what, reason, 'export');
  }
  if (required || isClearable(resource)) return true;
  throw kindUnsupported(
    resource.what,
    `${must} but images of compressed formats cannot be zeroed.`,
    'export',
  );
}

/** The class of the pages of memory, and what decided whether it is dedicated. */
export function pagesOf(
  measurement: PageMeasurement,
  made: Pick<MemoryPlan, 'kinds' | 'size' | 'memoryTypeIndex' | 'resource'> & { readonly dedicated: boolean },
  how: How,
  needs: Requirements | undefined,
): Pages {
  const { prefersDedicated, type } = measurement;
  const { dedicated } = made;
  const measured = isMeasurable(made.kinds, made.resource) && made.memoryTypeIndex === type;
  const known = measured && prefersDedicated && made.size >= MIN_LARGE_BYTES;
  const size = known ? (dedicated ? 'LARGE' : 'SMALL') : 'UNSPECIFIED';
  if (how.dedication !== 'AUTO') return { size, by: 'REQUEST' };
  if (dedicated && (isRequired(needs, how) || needs?.prefersDedicated)) return { size, by: 'DRIVER' };
  return { size, by: measured && dedicated === prefersDedicated ? 'MEASUREMENT' : 'DEFAULT' };
}
