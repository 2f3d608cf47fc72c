/** Control plane: GetAllocation by name, by grpc-js without the client library, as its floor. */
import { join } from 'node:path';
import { CONTROL_SOCKET, encode } from '@vkmemd/proto';
import { GrpcCalls } from '../grpc/calls.js';
import { ownedMemory } from './claimed.js';
import type { Operation, Place } from './operation.js';

const NAME = 'grpc-get';
const METHOD = '/vkmem.v1.MemoryService/GetAllocation';

export const getAllocation = (name: string): Buffer =>
  Buffer.from(encode('GetAllocationRequest', { allocation: { name } }));

export async function openGrpcGet(place: Place): Promise<Operation> {
  const owned = await ownedMemory(place, NAME);
  const calls = new GrpcCalls(join(place.runtimeDir, CONTROL_SOCKET), METHOD, getAllocation(NAME));
  return {
    async cycle() {
      await calls.call();
    },
    async [Symbol.asyncDispose]() {
      calls[Symbol.dispose]();
      await owned[Symbol.asyncDispose]();
    },
  };
}
