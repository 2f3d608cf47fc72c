/**
 * ifExists: what an allocate with a name does if the caller's tenant has an allocation of that name.
 *
 * It requires two requests, an allocate and a look-up, and another process may act between them: it may free
 * the allocation after the allocate failed, or its own allocate of that name may still be in progress, so
 * that a look-up does not find it yet. The two requests are then repeated, with pauses, a limited number of
 * times.
 */
import { type Allocation, type Draft, VkmemError } from '@vkmemd/proto';
import { pause } from '../connection/backoff.js';
import { checkWord } from './arguments.js';
import { missingHints } from './hints.js';

/** 'fail': the allocate fails with NAME_TAKEN. 'claim': the existing allocation is used if it fits. */
export type IfExists = 'fail' | 'claim';

export const IF_EXISTS: readonly IfExists[] = ['fail', 'claim'];

type Request = Draft<'AllocateRequest'>;

/** About 12 s in total: long enough for another process's allocate of many GiB to end. */
const MAX_ATTEMPTS = 20;
const FIRST_PAUSE_MS = 5;
const MAX_PAUSE_MS = 1000;

/**
 * @returns The name of the allocation to use if it exists; undefined for 'fail'.
 * @throws VkmemError INVALID_ARGUMENT for any other value, and for 'claim' without a name.
 */
export function nameToClaim(ifExists: unknown, { name, lifetime }: Request): string | undefined {
  if (ifExists === undefined || checkWord('ifExists', ifExists, IF_EXISTS) === 'fail') return undefined;
  if (name && lifetime !== 'LIFETIME_SESSION') return name;
  const reason = "ifExists: 'claim' requires a name and the lifetime NAMED.";
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: 'ifExists' });
}

/**
 * Allocates, or finds the existing allocation of that name.
 * @param find Rejects with NOT_FOUND if there is none, and with NAME_TAKEN if it does not fit.
 * @param ended Settles when no further attempt can succeed.
 * @returns The result of `allocate` or `find`, and whether it is that of `allocate`.
 * @throws VkmemError NAME_TAKEN if neither succeeds in the last attempt; any other error of `allocate` or
 *   `find`.
 */
export async function allocateOrFind<T>(
  allocate: () => Promise<T>,
  find: () => Promise<T>,
  ended?: Promise<unknown>,
): Promise<{ readonly result: T; readonly created: boolean }> {
  for (let attempt = 1, pauseMs = FIRST_PAUSE_MS; ; attempt += 1) {
    try {
      return { result: await allocate(), created: true };
    } catch (failure) {
      if (!hasCode(failure, 'NAME_TAKEN')) throw failure;
      try {
        return { result: await find(), created: false };
      } catch (notFound) {
        if (!hasCode(notFound, 'NOT_FOUND')) throw notFound;
        if (attempt === MAX_ATTEMPTS) throw failure;
      }
    }
    await pause(pauseMs, [], ended);
    pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS);
  }
}

/**
 * Checks that an existing allocation can be used in place of the requested one: it is at least as large, has
 * all kinds of the request, and the properties, the resource, the sharing and the hints that the request
 * specifies. Fields that the request leaves to the daemon are not compared.
 * @throws VkmemError NAME_TAKEN, with all differences in its reason.
 */
export function requireFit(request: Request, existing: Allocation): void {
  const { name = '', kinds = [], sharing = 'SHARING_UNSPECIFIED', memoryTypeIndex } = request;
  const existingSharing = existing.sharing === 'SHARING_UNSPECIFIED' ? 'SHARING_SHARED' : existing.sharing;
  const flags = existing.memoryPropertyFlags;
  const differences = [
    existing.sizeBytes < BigInt(request.sizeBytes ?? 0) && `it has ${existing.sizeBytes} bytes`,
    ...kinds.map((kind) => !existing.kinds.some((has) => has === kind) && `it is not for ${kind}`),
    memoryTypeIndex !== undefined &&
      memoryTypeIndex !== existing.memoryTypeIndex &&
      `its memory type is ${existing.memoryTypeIndex}`,
    (lacks(flags, request.requiredPropertyFlags) || flags & (request.forbiddenPropertyFlags ?? 0)) !== 0 &&
      `the flags of its memory type are 0x${flags.toString(16)}`,
    request.buffer &&
      lacks(existing.buffer?.usage, request.buffer.usage) !== 0 &&
      'it is not for that buffer',
    request.image && !holdsImage(existing.image, request.image) && 'it is not for that image',
    sharing !== 'SHARING_UNSPECIFIED' && sharing !== existingSharing && `its sharing is ${existingSharing}`,
    request.publishable && !existing.publishable && 'it cannot be published',
    request.dedication === 'DEDICATION_NEVER' && existing.dedicated && 'it is dedicated',
    request.dedication === 'DEDICATION_ALWAYS' && !existing.dedicated && 'it is not dedicated',
    ...missingHints(request.hints, existing),
  ].filter((difference) => typeof difference === 'string');
  if (differences.length === 0) return;
  throw new VkmemError('NAME_TAKEN', `${name} exists, but ${differences.join(', ')}.`, { name });
}

/** The bits of `wanted` that are missing in `bits`. */
const lacks = (bits = 0, wanted = 0): number => wanted & ~bits;

/** Whether the memory is dedicated to such an image. The daemon adds usage flags that it requires itself. */
function holdsImage(existing: Allocation['image'], wanted: Draft<'ImageDescription'>): boolean {
  if (!existing || lacks(existing.usage, wanted.usage) !== 0) return false;
  const { usage: _usage, drmFormatModifiers, ...fields } = existing;
  const candidates = wanted.drmFormatModifiers ?? [];
  if (candidates.length > 0 && !drmFormatModifiers.every((one) => candidates.includes(one))) return false;
  return Object.entries(fields).every(([field, value]) => wanted[field as keyof typeof fields] === value);
}

export const hasCode = (failure: unknown, code: string): failure is VkmemError =>
  failure instanceof VkmemError && failure.code === code;
