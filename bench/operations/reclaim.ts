/** The same as claim, of memory that the session already holds a grant of. */
import { ownedMemory, writeFirstByte } from './claimed.js';
import { confirmed, type Operation, openClient, type Place } from './operation.js';

const NAME = 'reclaim';

export async function openReclaim(place: Place): Promise<Operation> {
  const owned = await ownedMemory(place, NAME);
  const client = await openClient(place);
  const held = await client.claim({ name: NAME });
  return {
    async cycle() {
      const memory = await client.claim({ name: NAME });
      writeFirstByte(memory);
      await memory.release();
    },
    confirm: () => confirmed(client),
    async [Symbol.asyncDispose]() {
      await held.release();
      await client.close();
      await owned[Symbol.asyncDispose]();
    },
  };
}
