/** Claim by name, map, write the first byte, release: by the client library. */
import { ownedMemory, writeFirstByte } from './claimed.js';
import { confirmed, type Operation, openClient, type Place } from './operation.js';

/** @param name Of the memory, which is allocated here. */
export async function openClaim(place: Place, name = 'claim'): Promise<Operation> {
  const owned = await ownedMemory(place, name);
  const client = await openClient(place);
  return {
    async cycle() {
      const memory = await client.claim({ name });
      writeFirstByte(memory);
      await memory.release();
    },
    confirm: () => confirmed(client),
    async [Symbol.asyncDispose]() {
      await client.close();
      await owned[Symbol.asyncDispose]();
    },
  };
}
