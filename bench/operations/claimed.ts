/** Memory that an operation claims by its name, and the owner's session, which frees it. */
import type { Memory } from '@vkmemd/client';
import { openClient, type Place } from './operation.js';

export async function ownedMemory(place: Place, name: string): Promise<AsyncDisposable> {
  const owner = await openClient(place);
  const memory = await owner.allocate({ size: place.bytes, name }).catch(async (failure: unknown) => {
    await owner.close();
    throw failure;
  });
  return {
    async [Symbol.asyncDispose]() {
      await memory.free();
      await owner.close();
    },
  };
}

export function writeFirstByte(memory: Memory): void {
  memory.map().bytes[0] = 1;
}
