/** The same as claim by wire.ts, to see what the library costs. */
import { Wire } from '../wire.js';
import { ownedMemory } from './claimed.js';
import type { Operation, Place } from './operation.js';

const NAME = 'wire-claim';

export async function openWireClaim(place: Place): Promise<Operation> {
  const owned = await ownedMemory(place, NAME);
  const wire = await Wire.open(place.runtimeDir);
  return {
    cycle: () => wire.claim(NAME),
    async [Symbol.asyncDispose]() {
      wire[Symbol.dispose]();
      await owned[Symbol.asyncDispose]();
    },
  };
}
