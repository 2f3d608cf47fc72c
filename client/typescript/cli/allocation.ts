/**
 * The representation of allocations in vkmemctl's output: an object for --json, and a row of a table.
 */
import { type Allocation, flagNames } from '@vkmemd/proto';
import { age, type Column, fit, humanBytes, short, table } from './format.js';
import { hintsObject } from './hints.js';

/** The length of the part of an id that the table shows and `free` accepts. */
export const SHORT_ID_LENGTH = 8;
export const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** The width of NAME with none, one or both of the columns SHARING and SOURCE. */
const NAME_WIDTHS = [24, 16, 8] as const;

export function allocationObject(allocation: Allocation): object {
  const { createdAt, requirements, buffer, image } = allocation;
  const ms = createdAt ? Number(createdAt.seconds) * 1000 + Math.floor(createdAt.nanos / 1e6) : undefined;
  return {
    id: allocation.id,
    name: allocation.name || null,
    sizeBytes: allocation.sizeBytes,
    kinds: allocation.kinds.map((kind) => short('KIND_', kind)),
    lifetime: short('LIFETIME_', allocation.lifetime),
    state: short('ALLOCATION_STATE_', allocation.state),
    ownerUid: allocation.ownerUid,
    heapIndex: allocation.heapIndex,
    memoryTypeIndex: allocation.memoryTypeIndex,
    memoryPropertyFlags: allocation.memoryPropertyFlags,
    flags: flagNames(allocation.memoryPropertyFlags),
    dedicated: allocation.dedicated,
    dedicatedBy: known(short('DEDICATED_BY_', allocation.dedicatedBy)),
    pageSize: known(short('PAGE_SIZE_', allocation.pageSize)),
    imported: allocation.imported,
    source: short('ALLOCATION_SOURCE_', allocation.source),
    handleTypes: allocation.handleTypes,
    requirements: requirements ?? null,
    buffer: buffer ?? null,
    image: image
      ? { ...image, type: short('IMAGE_TYPE_', image.type), tiling: short('IMAGE_TILING_', image.tiling) }
      : null,
    sharing: short('SHARING_', allocation.sharing),
    publishable: allocation.publishable,
    published: allocation.published,
    writerSessionId: allocation.writerSessionId === 0n ? null : allocation.writerSessionId,
    grants: allocation.grants,
    kept: allocation.kept,
    hints: hintsObject(allocation),
    createdAt: ms === undefined ? null : new Date(ms).toISOString(),
  };
}

const known = (word: string): string | null => (word === 'UNSPECIFIED' ? null : word);

const CHOSEN: Record<string, string> = {
  DEDICATED_BY_DRIVER: 'by the driver',
  DEDICATED_BY_MEASUREMENT: 'by measurement',
  DEDICATED_BY_REQUEST: 'as requested',
};

/** 'large pages, by measurement'; empty where nothing is known. */
export function pagesText({ pageSize, dedicatedBy }: Allocation): string {
  const pages = known(short('PAGE_SIZE_', pageSize));
  return [CHOSEN[dedicatedBy], pages && `${pages.toLowerCase()} pages`].filter(Boolean).join(', ');
}

const COLUMNS: readonly Column[] = [
  { heading: 'ID' },
  { heading: 'NAME' },
  { heading: 'SIZE', right: true },
  { heading: 'KINDS' },
  { heading: 'STATE' },
  { heading: 'UID', right: true },
  { heading: 'GRANTS', right: true },
  { heading: 'AGE', right: true },
];

/** The state, with 'published' for a live allocation that was published. */
function stateText({ state, published }: Allocation): string {
  if (published && state === 'ALLOCATION_STATE_LIVE') return 'published';
  return short('ALLOCATION_STATE_', state).toLowerCase();
}

/** 'shared', 'one' or 'excl', followed by the session that may write: 'one:12'. */
function sharingText({ sharing, writerSessionId }: Allocation): string {
  const writer = writerSessionId === 0n ? '' : `:${writerSessionId}`;
  if (sharing === 'SHARING_SHARED') return 'shared';
  return `${sharing === 'SHARING_ONE_WRITER' ? 'one' : 'excl'}${writer}`;
}

/** 'daemon', 'imported' or 'cuda-vmm'. */
const sourceText = ({ source }: Allocation): string =>
  short('ALLOCATION_SOURCE_', source).toLowerCase().replace('_', '-');

/** A table, at most 100 columns wide if no allocation has more than two kinds. */
export function allocationTable(allocations: readonly Allocation[], nowMs: number): string {
  const bounded = allocations.some(({ sharing }) => sharing !== 'SHARING_SHARED');
  const foreign = allocations.some(({ imported }) => imported);
  const nameWidth = NAME_WIDTHS[bounded && foreign ? 2 : bounded || foreign ? 1 : 0];
  const rows = allocations.map((allocation) => [
    allocation.id.slice(0, SHORT_ID_LENGTH),
    fit(allocation.name || '-', nameWidth),
    humanBytes(allocation.sizeBytes),
    allocation.kinds.map((kind) => short('KIND_', kind)).join(','),
    stateText(allocation),
    String(allocation.ownerUid),
    String(allocation.grants),
    ...(bounded ? [sharingText(allocation)] : []),
    ...(foreign ? [sourceText(allocation)] : []),
    age(allocation.createdAt, nowMs),
  ]);
  const more = [...(bounded ? ['SHARING'] : []), ...(foreign ? ['SOURCE'] : [])];
  return table(COLUMNS.toSpliced(-1, 0, ...more.map((heading) => ({ heading }))), rows);
}
