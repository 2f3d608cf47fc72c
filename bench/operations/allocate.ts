/** Allocate SESSION memory with its grant, map, write the first byte, free: by the client library. */
import { writeFirstByte } from './claimed.js';
import { confirmed, type Operation, openClient, type Place } from './operation.js';

export async function openAllocate(place: Place): Promise<Operation> {
  const client = await openClient(place);
  return {
    async cycle() {
      const memory = await client.allocate({ size: place.bytes });
      writeFirstByte(memory);
      await memory.free();
    },
    confirm: () => confirmed(client),
    [Symbol.asyncDispose]: () => client.close(),
  };
}
