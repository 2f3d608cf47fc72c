/**
 * The producer: allocates memory with a name, fills it with a pattern, and has the device copy it to a second
 * allocation. Usage: producer.mjs SOURCE TARGET BYTES SEED
 */
import { createHash } from 'node:crypto';
import { connect } from '@vkmemd/client';
import { Steps, tellAndHold } from './worker.mjs';

const [source, target, bytes, seed] = process.argv.slice(2);
const steps = new Steps();

/** Fills 32-bit words from a seed (xorshift32), so that no two pages are equal. */
function fillWith(words, start) {
  let state = start;
  for (let i = 0; i < words.length; i += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
}

const client = await steps.step('producer connects', () => connect({ clientName: 'demo producer' }));
const memory = await steps.step('producer allocates', () =>
  client.allocate({ name: source, size: BigInt(bytes) }),
);
const map = await steps.step('producer maps', () => memory.map());
await steps.step('producer writes', () => fillWith(new Uint32Array(map.buffer), Number(seed)));
const sha256 = await steps.step('producer hashes', () =>
  createHash('sha256').update(map.bytes).digest('hex'),
);
const copy = await steps.step('producer allocates a second', () =>
  client.allocate({ name: target, size: BigInt(bytes), grant: [] }),
);
await steps.step('device copies', () => client.transfer({ copy: { from: memory, to: copy } }));
await tellAndHold({ sha256, steps: steps.done });
await client.close();
