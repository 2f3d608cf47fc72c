/**
 * The gRPC services of the contract, as proto-loader makes their definitions. Only what speaks gRPC loads this.
 */
import {
  fromJSON,
  type MethodDefinition,
  type PackageDefinition,
  type ServiceDefinition,
} from '@grpc/proto-loader';
import { fromWire, toWire } from './codec.js';
import { compiledSchemas } from './descriptor-set.js';

let loaded: PackageDefinition | undefined;

/** All definitions of the contract. They are loaded at the first use. */
export function packageDefinition(): PackageDefinition {
  loaded ??= fromJSON(compiledSchemas(), { enums: String, defaults: true, oneofs: true });
  return loaded;
}

/** The gRPC services of the control socket. */
export type ServiceName =
  | 'MemoryService'
  | 'DeviceService'
  | 'PolicyService'
  | 'IvshmemService'
  | 'StatusService'
  | 'SemaphoreService';

/**
 * The definition of a gRPC service, for `Server.addService` and `makeClientConstructor`. Its handlers and
 * clients use bigint for 64-bit integers.
 * @param name Without its package, such as 'MemoryService'.
 */
export function serviceDefinition(name: ServiceName): ServiceDefinition {
  const service = packageDefinition()[`vkmem.v1.${name}`] as ServiceDefinition;
  const wrap = (method: MethodDefinition<object, object>): MethodDefinition<object, object> => ({
    ...method,
    requestSerialize: (value) => method.requestSerialize(toWire(value) as object),
    requestDeserialize: (bytes) => fromWire(method.requestDeserialize(bytes)) as object,
    responseSerialize: (value) => method.responseSerialize(toWire(value) as object),
    responseDeserialize: (bytes) => fromWire(method.responseDeserialize(bytes)) as object,
  });
  return Object.fromEntries(
    Object.entries(service).map(([method, definition]) => [method, wrap(definition)]),
  );
}
