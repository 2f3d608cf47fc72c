/**
 * Converts the options of callers to the messages of the contract.
 *
 * Both planes carry the same messages, so Client and ControlClient share these functions.
 */
import {
  type AccessName,
  type Allocation,
  accessToWire,
  DEDICATION_NAMES,
  type DedicationName,
  type Draft,
  type KindName,
  kindToWire,
  type LifetimeName,
  SHARING_NAMES,
  type SharingName,
  uuidDigits,
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
import {
  pointFields,
  type SemaphorePoint,
  type SemaphoreWaitOptions,
  timeoutField,
} from './semaphore-points.js';
import { type TicketRef, ticketClaim } from './tickets.js';

/**
 * The properties of a new allocation.
 *
 * Without properties, memoryTypeIndex, buffer and image, the daemon uses the best memory type that the kinds
 * allow. With a buffer or an image, it queries the driver for the requirements of that resource, and
 * dedicates the memory to it if the driver prefers or requires that. The allocation and every grant report it
 * (`requirements`, `dedicated`).
 */
export interface AllocateOptions extends ResourceOptions {
  /**
   * Bytes, at least 1; rounded up to whole pages, and as `hints` require. Default with an image: the size
   * that the image requires; otherwise required.
   */
  readonly size?: Bytes;
  /** All kinds that the allocation may be granted as. Default: MAPPABLE only. */
  readonly kinds?: readonly KindName[];
  /**
   * The name, which makes the allocation NAMED: 1 to 128 letters, digits, '.', '-' or '_', unique among the
   * allocations of this user.
   */
  readonly name?: string;
  /**
   * SESSION: it ends with the session of this client. NAMED: it stays until it is freed. Default: NAMED with
   * a name, SESSION without one.
   */
  readonly lifetime?: LifetimeName;
  /** The access of this client's grants. Default 'rw'. */
  readonly access?: AccessName;
  /** The properties that the memory type must have, should have and must not have. */
  readonly properties?: PropertyOptions;
  /** The index of the only memory type to use; DeviceReport lists them. */
  readonly memoryTypeIndex?: number;
  /**
   * For NAMED memory: which sessions may hold grants at the same time (docs/sharing.md). Default 'SHARED'.
   */
  readonly sharing?: SharingName;
  /**
   * Whether it may be published later; for MAPPABLE memory over a memfd, also together with OPAQUE_FD, and for
   * OPAQUE_FD alone. Default false.
   */
  readonly publishable?: boolean;
  /**
   * Whether memory that the driver allocates is dedicated to one resource, which alone can be bound to it then.
   * 'AUTO': where the driver requires or prefers it, and for OPAQUE_FD where dedicated memory has larger pages
   * (docs/kinds.md). 'NEVER': any buffer can be bound to it. 'ALWAYS': to `buffer` or `image`, or to a transfer
   * buffer. Default 'AUTO'.
   */
  readonly dedication?: DedicationName;
  /** Requirements of virtual machines (docs/virtualization.md). */
  readonly hints?: HintOptions;
  /**
   * What to do if this user has an allocation of that name. 'fail': fail with NAME_TAKEN. 'claim': use the
   * existing one if it is at least as large and has the kinds and all other properties that are specified
   * here; otherwise fail with NAME_TAKEN, with the differences in the reason. 'claim' requires a name.
   * Default 'fail'.
   */
  readonly ifExists?: IfExists;
}

/** The grants to claim of an existing allocation. */
export interface ClaimOptions {
  /**
   * Kinds that the allocation was requested with. Default: MAPPABLE only; with a ticket, all kinds that it
   * allows.
   */
  readonly kinds?: readonly KindName[];
  /** Default 'rw'; with a ticket, the access that it allows. */
  readonly access?: AccessName;
  /**
   * Milliseconds to wait while other sessions hold the lock (`sharing`), at most 3 600 000 (an hour). Default
   * 0.
   */
  readonly waitMs?: number;
  /**
   * The devices that this process can use, by their UUIDs: of 16 bytes, or as text, also as nvidia-smi writes it
   * (`GPU-...`). A claim of an OPAQUE_FD of another device fails with WRONG_DEVICE. Default: not checked.
   */
  readonly deviceUuids?: readonly (Uint8Array | string)[];
}

/**
 * A fill, copy or synchronisation by the device. Offsets and sizes are in bytes. The default of an offset is
 * 0, that of a size the rest of the allocation (of a copy: of its source).
 */
export type TransferOptions = TransferOrder & TransferOperation;

/** The order of a transfer among the work of other processes (docs/semaphores.md). */
export interface TransferOrder extends SemaphoreWaitOptions {
  /** Timelines that it waits for, for `timeoutMs`; at most 8. */
  readonly wait?: readonly SemaphorePoint[];
  /** What it signals once the device has finished; at most 8. */
  readonly signal?: readonly SemaphorePoint[];
}

/** What a transfer does. */
export type TransferOperation =
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
   * Moves no bytes. Afterwards, earlier writes through maps are visible to importers, and earlier writes of
   * importers are visible through maps.
   */
  | { readonly sync: Ref };

const UUID_BYTES = 16;
const DEFAULT_KINDS: readonly KindName[] = ['MAPPABLE'];

/**
 * Checks the options of an allocate, and converts them.
 * @param grant The kinds to grant in the same answer; none on the control socket.
 * @throws VkmemError INVALID_SIZE, SIZE_ABOVE_MAXIMUM, KIND_NOT_REQUESTED, KIND_UNSUPPORTED, INVALID_NAME,
 *   INVALID_ARGUMENT.
 */
export function allocateRequest(
  options: AllocateOptions,
  grant: readonly KindName[],
): Draft<'AllocateRequest'> {
  const { size, kinds = DEFAULT_KINDS, access = 'rw', image, sharing, dedication } = options;
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
    dedication:
      dedication === undefined
        ? 'DEDICATION_UNSPECIFIED'
        : `DEDICATION_${checkWord('dedication', dedication, DEDICATION_NAMES)}`,
    ...hintFields(options.hints),
  };
}

/**
 * Converts the lifetime and the name.
 * @throws VkmemError INVALID_NAME, INVALID_ARGUMENT.
 */
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

/**
 * Checks the options of a claim, and converts them.
 * @throws VkmemError INVALID_ARGUMENT, KIND_NOT_REQUESTED, KIND_UNSUPPORTED.
 */
export function claimRequest(ref: Ref | TicketRef, options: ClaimOptions): Draft<'ClaimRequest'> {
  if (typeof ref === 'object' && ref !== null && 'ticket' in ref) {
    const { kinds, access, waitMs = 0, deviceUuids } = options;
    return {
      ...ticketClaim(ref),
      kinds: kinds === undefined ? [] : checkKinds(kinds).map(kindToWire),
      access: access === undefined ? 'ACCESS_UNSPECIFIED' : accessToWire(checkAccess(access)),
      waitMs: checkWait(waitMs),
      deviceUuids: uuidBytes(deviceUuids),
    };
  }
  const { kinds = DEFAULT_KINDS, access = 'rw', waitMs = 0, deviceUuids } = options;
  return {
    allocation: checkRef(ref),
    waitMs: checkWait(waitMs),
    kinds: checkKinds(kinds).map(kindToWire),
    access: accessToWire(checkAccess(access)),
    deviceUuids: uuidBytes(deviceUuids),
  };
}

/**
 * Checks the UUIDs of devices, and converts them.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export function uuidBytes(uuids: readonly (Uint8Array | string)[] = []): Uint8Array[] {
  return uuids.map((uuid) => {
    const bytes = typeof uuid === 'string' ? Buffer.from(uuidDigits(uuid), 'hex') : uuid;
    if (bytes.length === UUID_BYTES) return bytes;
    throw new VkmemError('INVALID_ARGUMENT', `deviceUuids: ${JSON.stringify(uuid)} is not a UUID.`, {
      field: 'deviceUuids',
    });
  });
}

/**
 * Publishes an allocation on the handoff socket.
 * @throws VkmemError as Client.publish().
 */
export async function publish(handoff: Requester, ref: Ref): Promise<Allocation> {
  const { allocation } = (await handoff.request('Publish', { allocation: checkRef(ref) })).message;
  if (allocation) return allocation;
  throw new VkmemError('PROTOCOL_ERROR', 'The answer lacks the allocation.');
}

/** On the wire, a size of 0 means the rest. From a caller, 0 is refused as a mistake. */
const sizeOrRest = (size: Bytes | undefined): bigint =>
  size === undefined ? 0n : checkRangePart('size', size, 1n);

/**
 * Checks the options of a transfer, and converts them.
 * @throws VkmemError INVALID_ARGUMENT, INVALID_RANGE.
 */
export function transferRequest(options: TransferOptions): Draft<'TransferRequest'> {
  return {
    ...operationFields(options),
    wait: pointFields(options.wait),
    signal: pointFields(options.signal),
    ...timeoutField(options),
  };
}

function operationFields(
  options: TransferOperation,
): Pick<Draft<'TransferRequest'>, 'fill' | 'copy' | 'sync'> {
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
    throw new VkmemError('INVALID_ARGUMENT', 'The transfer has none of { fill }, { copy } and { sync }.', {
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
