/** Converts the options of callers about semaphores to the messages of the contract. */
import {
  type Decoded,
  type Draft,
  type LifetimeName,
  SEMAPHORE_KIND_NAMES,
  SEMAPHORE_TYPE_NAMES,
  type SemaphoreKindName,
  type SemaphoreTypeName,
} from '@vkmemd/proto';
import { checkWord, type Ref } from './arguments.js';
import { lifetimeFields, uuidBytes } from './requests.js';
import { checkCounter, checkSemaphore, type SemaphoreWaitOptions, timeoutField } from './semaphore-points.js';
import { type TicketRef, ticketClaim } from './tickets.js';

/** A semaphore as the daemon describes it (Semaphore in semaphore.proto). */
export type SemaphoreInfo = Decoded<'Semaphore'>;

/** The properties of a new semaphore. */
export interface SemaphoreOptions {
  /** A counter that grows, or a state that a wait resets. Default 'TIMELINE'. */
  readonly type?: SemaphoreTypeName;
  /** The counter of a new timeline. Default 0. */
  readonly initialValue?: bigint | number;
  /**
   * What it may be granted as: one kind, or none where only requests to the daemon use it. Default: OPAQUE_FD,
   * which is granted at once.
   */
  readonly kinds?: readonly SemaphoreKindName[];
  /** The name, which makes it NAMED; unique among the semaphores of this user. */
  readonly name?: string;
  /** Default: NAMED with a name, SESSION without one. */
  readonly lifetime?: LifetimeName;
}

/** The handle to claim of an existing semaphore. */
export interface SemaphoreClaimOptions {
  /** Default: the kind that the semaphore was created with. */
  readonly kind?: SemaphoreKindName;
  /** As ClaimOptions.deviceUuids. */
  readonly deviceUuids?: readonly (Uint8Array | string)[];
}

/**
 * Checks the options of a new semaphore, and converts them.
 * @param grants Whether an OPAQUE_FD is granted in the same answer; not on the control socket.
 * @throws VkmemError INVALID_NAME, INVALID_ARGUMENT.
 */
export function createSemaphoreRequest(
  options: SemaphoreOptions,
  grants: boolean,
): Draft<'CreateSemaphoreRequest'> {
  const { type = 'TIMELINE', initialValue = 0n, kinds = ['OPAQUE_FD'] } = options;
  const known = kinds.map((kind) => checkWord('kinds', kind, SEMAPHORE_KIND_NAMES));
  return {
    type: `SEMAPHORE_TYPE_${checkWord('type', type, SEMAPHORE_TYPE_NAMES)}`,
    initialValue: checkCounter(initialValue),
    kinds: known.map((kind) => `SEMAPHORE_KIND_${kind}` as const),
    grant: grants && known.includes('OPAQUE_FD'),
    ...lifetimeFields(options),
  };
}

/**
 * Checks the options of a claim, and converts them.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export function claimSemaphoreRequest(
  ref: Ref | TicketRef,
  { kind, deviceUuids }: SemaphoreClaimOptions,
): Draft<'ClaimSemaphoreRequest'> {
  const named = typeof ref === 'object' && ref !== null && 'ticket' in ref;
  return {
    ...(named ? ticketClaim(ref) : { semaphore: checkSemaphore(ref) }),
    kind:
      kind === undefined
        ? 'SEMAPHORE_KIND_UNSPECIFIED'
        : `SEMAPHORE_KIND_${checkWord('kind', kind, SEMAPHORE_KIND_NAMES)}`,
    deviceUuids: uuidBytes(deviceUuids),
  };
}

/**
 * Checks a wait, and converts it.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export const waitSemaphoreRequest = (
  ref: unknown,
  value: unknown,
  options: SemaphoreWaitOptions = {},
): Draft<'WaitSemaphoreRequest'> => ({
  semaphore: checkSemaphore(ref),
  value: checkCounter(value),
  ...timeoutField(options),
});

/**
 * Checks a signal, and converts it.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export const signalSemaphoreRequest = (ref: unknown, value: unknown): Draft<'SignalSemaphoreRequest'> => ({
  semaphore: checkSemaphore(ref),
  value: checkCounter(value),
});
