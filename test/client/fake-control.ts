/**
 * A fake control socket, for devices and budgets that no test machine has: it serves the schema's
 * DeviceService and MemoryService with scripted answers, and answers UNIMPLEMENTED to other calls.
 */
import { join } from 'node:path';
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import {
  CONTROL_SOCKET,
  type Decoded,
  type Draft,
  packStatus,
  STATUS_METADATA,
  serviceDefinition,
  VkmemError,
} from '@vkmemd/proto';
import type { Test } from 'tap';

/** The daemon's end of a budget watch. */
export type BudgetStream = ServerWritableStream<object, Draft<'WatchBudgetResponse'>>;

/** The daemon's end of an allocation watch. */
export type AllocationStream = ServerWritableStream<object, Draft<'WatchAllocationsResponse'>>;

/** The answers. A thrown VkmemError is the error that it answers with. */
export interface FakeAnswers {
  ListDevices?(): Draft<'ListDevicesResponse'>;
  GetBudget?(request: object, metadata: Metadata): Draft<'GetBudgetResponse'>;
  WatchBudget?(stream: BudgetStream): void;
  Allocate?(request: Decoded<'AllocateRequest'>): Draft<'AllocateResponse'>;
  ListAllocations?(): Draft<'ListAllocationsResponse'>;
  FreeAllocation?(request: Decoded<'FreeAllocationRequest'>): Draft<'FreeAllocationResponse'>;
  Transfer?(): Draft<'TransferResponse'>;
  WatchAllocations?(stream: AllocationStream): void;
}

export const COUNTS = {
  sessions: 1,
  allocations: 2,
  drainingAllocations: 0,
  grants: 0,
  fds: 2,
  deviceMemories: 3,
  semaphores: 0,
} as const;
export const HEAP = {
  heapIndex: 0,
  sizeBytes: 1n << 30n,
  driverBudgetBytes: 1n << 29n,
  source: 'BUDGET_SOURCE_EXT',
  availableBytes: 1n << 28n,
  pressure: 'PRESSURE_NORMAL',
} as const;

/** An error in the form that gRPC carries. */
export function refusal(error: VkmemError): { code: number; details: string; metadata: Metadata } {
  const metadata = new Metadata();
  metadata.set(STATUS_METADATA, packStatus(error));
  return { code: error.grpc, details: error.message, metadata };
}

/** Serves until the test ends or it is closed. */
export async function startFakeControl(t: Test, runtimeDir: string, answers: FakeAnswers) {
  const unary =
    (answer: (request: never, metadata: Metadata) => object) =>
    (
      { request, metadata }: ServerUnaryCall<object, object>,
      done: (error: object | null, answer?: object) => void,
    ) => {
      try {
        done(null, answer(request as never, metadata));
      } catch (failure) {
        if (!(failure instanceof VkmemError)) throw failure;
        done(refusal(failure));
      }
    };
  const { ListDevices, GetBudget, Allocate, Transfer, WatchBudget, WatchAllocations } = answers;
  const { ListAllocations, FreeAllocation } = answers;
  const devices = {
    ...(ListDevices && { ListDevices: unary(ListDevices) }),
    ...(GetBudget && { GetBudget: unary(GetBudget) }),
    ...(WatchBudget && { WatchBudget }),
  };
  const server = new Server();
  server.addService(serviceDefinition('DeviceService'), devices as UntypedServiceImplementation);
  const memory = {
    ...(Allocate && { Allocate: unary(Allocate) }),
    ...(Transfer && { Transfer: unary(Transfer) }),
    ...(ListAllocations && { ListAllocations: unary(ListAllocations) }),
    ...(FreeAllocation && { FreeAllocation: unary(FreeAllocation) }),
    ...(WatchAllocations && { WatchAllocations }),
  };
  server.addService(serviceDefinition('MemoryService'), memory as UntypedServiceImplementation);
  await new Promise<void>((resolve, reject) => {
    const address = `unix:${join(runtimeDir, CONTROL_SOCKET)}`;
    server.bindAsync(address, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    );
  });
  t.teardown(() => server.forceShutdown());
  return { close: () => server.forceShutdown() };
}
