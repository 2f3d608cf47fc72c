/**
 * Requests as callers write them, turned into the contract's messages.
 *
 * Both planes carry the same messages, so Client and ControlClient share these.
 */
import {
  type AccessName,
  type Allocation,
  accessToWire,
  type Draft,
  type KindName,
  kindToWire,
  type LifetimeName,
  SHARING_NAMES,
  type SharingName,
  VkmemError,
} from '@vkmemd/proto';
import type { Requester } from '../connection/request.js';
import {
  type Bytes,
  checkAccess,
  checkKinds,
  checkLifetime,
  checkName,
  checkRangePart,
  checkRef,
  checkSize,
  checkUint32,
  checkWait,
  checkWord,
  type Ref,
} from './arguments.js';
import { type HintOptions, hintFields } from './hints.js';
import type { IfExists } from './if-exists.js';
import {
  memoryTypeField,
  type PropertyOptions,
  propertyFields,
  type ResourceOptions,
  resourceFields,
} from './resources.js';
import { type TicketRef, ticketClaim } from './tickets.js';

/**
 * What a new allocation shall be.
 *
 * Without properties, memoryTypeIndex, buffer and image the daemon takes the best memory type that the kinds
 * can have. With a buffer or an image it asks the driver what that needs, dedicates the memory where the
 * driver wants it, and says so in the allocation (`requirements`, `dedicated`) and in every grant.
 */
export interface AllocateOptions extends ResourceOptions {
  /**
   * At least 1 byte; rounded up to whole pages, and as `hints` say. With an image it may be left out: as much
   * as the image needs.
   */
  readonly size?: Bytes;
  /** Every kind that it will ever be granted as. Default: MAPPABLE alone. */
  readonly kinds?: readonly KindName[];
  /** Makes it NAMED: 1 to 128 letters, digits, '.', '-' or '_', unique among this user's allocations. */
  readonly name?: string;
  /**
   * SESSION ends with this client, NAMED stays until freed. Default: NAMED with a name, SESSION without one.
   */
  readonly lifetime?: LifetimeName;
  /** What the client may do with what it is granted. Default 'rw'. */
  readonly access?: AccessName;
  /** What the memory type must have, should have and must not have. */
  readonly properties?: PropertyOptions;
  /** This memory type and no other, as DeviceReport lists them. */
  readonly memoryTypeIndex?: number;
  /** Of NAMED memory: who may hold grants at the same time (docs/sharing.md). Default 'SHARED'. */
  readonly sharing?: SharingName;
  /** Whether it may be published later: MAPPABLE memory over a memfd only. Default false. */
  readonly publishable?: boolean;
  /** What a virtual machine needs of it (docs/virtualization.md). */
  readonly hints?: HintOptions;
  /**
   * What happens where this user has an allocation of that name. 'fail': NAME_TAKEN. 'claim': that one is
   * used, if it is at least as large and has the kinds and whatever else is named here; NAME_TAKEN, with
   * what differs, otherwise. It requires a name. Default 'fail'.
   */
  readonly ifExists?: IfExists;
}

/** What of an existing allocation to be granted. */
export interface ClaimOptions {
  /** Among those it was made for. Default: MAPPABLE alone; with a ticket, what that is for. */
  readonly kinds?: readonly KindName[];
  /** Default 'rw'; with a ticket, what that gives. */
  readonly access?: AccessName;
  /** Milliseconds to wait for the lock, where others hold it (`sharing`). Default 0; at most an hour. */
  readonly waitMs?: number;
}

/**
 * A fill or a copy by the device. Offsets default to 0, a size that is left out to the rest, all in bytes.
 */
export type TransferOptions =
  | {
      /** Writes a 32-bit pattern in the device's byte order; offset and size are multiples of 4. */
      readonly fill: {
        readonly to: Ref;
        readonly offset?: Bytes;
        readonly size?: Bytes;
        readonly pattern: number;
      };
    }
  | {
      readonly copy: {
        readonly from: Ref;
        readonly fromOffset?: Bytes;
        readonly to: Ref;
        readonly toOffset?: Bytes;
        readonly size?: Bytes;
      };
    }
  /**
   * Moves nothing; afterwards importers see what was written through maps before, and the other way round.
   */
  | { readonly sync: Ref };

const DEFAULT_KINDS: readonly KindName[] = ['MAPPABLE'];

/**
 * @param grant the kinds to be granted in the same reply; none on the control socket.
 * @throws VkmemError INVALID_SIZE, SIZE_ABOVE_MAXIMUM, KIND_NOT_REQUESTED, KIND_UNSUPPORTED, INVALID_NAME,
 *   INVALID_ARGUMENT.
 */
export function allocateRequest(
  options: AllocateOptions,
  grant: readonly KindName[],
): Draft<'AllocateRequest'> {
  const { size, kinds = DEFAULT_KINDS, access = 'rw', image, sharing } = options;
  return {
    sizeBytes: size === undefined && image !== undefined ? 0n : checkSize(size),
    kinds: checkKinds(kinds).map(kindToWire),
    ...lifetimeFields(options),
    grantKinds: grant.length === 0 ? [] : checkKinds(grant).map(kindToWire),
    access: accessToWire(checkAccess(access)),
    ...propertyFields(options.properties),
    ...memoryTypeField(options.memoryTypeIndex),
    ...resourceFields(options),
    sharing:
      sharing === undefined
        ? 'SHARING_UNSPECIFIED'
        : `SHARING_${checkWord('sharing', sharing, SHARING_NAMES)}`,
    publishable: options.publishable === true,
    ...hintFields(options.hints),
  };
}

/** How long it lives, and its name. @throws VkmemError INVALID_NAME, INVALID_ARGUMENT. */
export function lifetimeFields({
  lifetime,
  name = '',
}: {
  readonly lifetime?: LifetimeName;
  readonly name?: string;
}): Pick<Draft<'AllocateRequest'>, 'lifetime' | 'name'> {
  return {
    lifetime: lifetime === undefined ? 'LIFETIME_UNSPECIFIED' : `LIFETIME_${checkLifetime(lifetime)}`,
    name: checkName(name),
  };
}

/** @throws VkmemError INVALID_ARGUMENT, KIND_NOT_REQUESTED, KIND_UNSUPPORTED. */
export function claimRequest(ref: Ref | TicketRef, options: ClaimOptions): Draft<'ClaimRequest'> {
  if (typeof ref === 'object' && ref !== null && 'ticket' in ref) {
    const { kinds, access, waitMs = 0 } = options;
    return {
      ...ticketClaim(ref),
      kinds: kinds === undefined ? [] : checkKinds(kinds).map(kindToWire),
      access: access === undefined ? 'ACCESS_UNSPECIFIED' : accessToWire(checkAccess(access)),
      waitMs: checkWait(waitMs),
    };
  }
  const { kinds = DEFAULT_KINDS, access = 'rw', waitMs = 0 } = options;
  return {
    allocation: checkRef(ref),
    waitMs: checkWait(waitMs),
    kinds: checkKinds(kinds).map(kindToWire),
    access: accessToWire(checkAccess(access)),
  };
}

/** Publishes an allocation on the handoff socket. @throws VkmemError as Client.publish(). */
export async function publish(handoff: Requester, ref: Ref): Promise<Allocation> {
  const { allocation } = (await handoff.request('Publish', { allocation: checkRef(ref) })).message;
  if (allocation) return allocation;
  throw new VkmemError('PROTOCOL_ERROR', 'The answer describes no allocation.');
}

/** A size of 0 is the wire's word for the rest; a caller who writes it has counted wrong. */
const sizeOrRest = (size: Bytes | undefined): bigint =>
  size === undefined ? 0n : checkRangePart('size', size, 1n);

/** @throws VkmemError INVALID_ARGUMENT, INVALID_RANGE. */
export function transferRequest(options: TransferOptions): Draft<'TransferRequest'> {
  if ('fill' in options) {
    const { to, offset = 0n, size, pattern } = options.fill;
    return {
      fill: {
        allocation: checkRef(to),
        offsetBytes: checkRangePart('offset', offset, 0n),
        sizeBytes: sizeOrRest(size),
        pattern: checkUint32('pattern', pattern),
      },
    };
  }
  if ('sync' in options) return { sync: { allocation: checkRef(options.sync) } };
  if (!('copy' in options)) {
    throw new VkmemError('INVALID_ARGUMENT', 'A transfer is { fill }, { copy } or { sync }.', {
      field: 'operation',
    });
  }
  const { from, fromOffset = 0n, to, toOffset = 0n, size } = options.copy;
  return {
    copy: {
      source: checkRef(from),
      sourceOffsetBytes: checkRangePart('fromOffset', fromOffset, 0n),
      destination: checkRef(to),
      destinationOffsetBytes: checkRangePart('toOffset', toOffset, 0n),
      sizeBytes: sizeOrRest(size),
    },
  };
}
