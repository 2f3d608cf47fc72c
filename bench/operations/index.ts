/**
 * What is measured in rounds, by turns with the floors: each operation as a user performs it, from the request until
 * nothing of it is left. All memory is MAPPABLE.
 */
import { openAllocate } from './allocate.js';
import { openClaim } from './claim.js';
import { openGrpcAllocate } from './grpc-allocate.js';
import { openGrpcGet } from './grpc-get.js';
import type { Operation, Place } from './operation.js';
import { openReclaim } from './reclaim.js';
import { openWireClaim } from './wire-claim.js';

/** The first two are those of floor.c; that of gRPC is grpc/server.ts. */
export const FLOORS = ['claim', 'allocate', 'grpc'] as const;
export type FloorName = (typeof FLOORS)[number];

interface Definition {
  /** What it is compared with. */
  readonly floor: FloorName;
  /** In a round: for about ten milliseconds. */
  readonly cycles: number;
  readonly open: (place: Place) => Promise<Operation>;
}

const MIB = 2 ** 20;
const sized = (bytes: number, name: string) => (place: Place) => openClaim({ ...place, bytes }, name);

export const OPERATIONS = {
  claim: { floor: 'claim', cycles: 48, open: openClaim },
  wireClaim: { floor: 'claim', cycles: 48, open: openWireClaim },
  reclaim: { floor: 'claim', cycles: 48, open: openReclaim },
  allocate: { floor: 'allocate', cycles: 16, open: openAllocate },
  grpcAllocate: { floor: 'allocate', cycles: 12, open: openGrpcAllocate },
  grpcGet: { floor: 'grpc', cycles: 24, open: openGrpcGet },
  claim1MiB: { floor: 'claim', cycles: 48, open: sized(MIB, 'claim-1-mib') },
  claim1GiB: { floor: 'claim', cycles: 48, open: sized(1024 * MIB, 'claim-1-gib') },
} as const satisfies Readonly<Record<string, Definition>>;
export type OperationName = keyof typeof OPERATIONS;
export const OPERATION_NAMES = Object.keys(OPERATIONS) as readonly OperationName[];

/** The floors that they are compared with. */
export const floorsOf = (operations: readonly OperationName[]): FloorName[] =>
  FLOORS.filter((floor) => operations.some((name) => OPERATIONS[name].floor === floor));
