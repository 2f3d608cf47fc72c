/**
 * The consumer: claims the memory of the producer and the device's copy of it, each by its name, and hashes
 * their bytes. Usage: consumer.mjs SOURCE COPY
 */
import { createHash } from 'node:crypto';
import { connect } from '@vkmemd/client';
import { Steps, tellAndHold } from './worker.mjs';

const [source, copy] = process.argv.slice(2);
const steps = new Steps();

const client = await steps.step('consumer connects', () => connect({ clientName: 'demo consumer' }));

/** Claims, maps and hashes. @param what appears in the names of the steps. */
async function read(what, name) {
  const memory = await steps.step(`consumer claims ${what}`, () => client.claim({ name }, { access: 'ro' }));
  const map = await steps.step(`consumer maps ${what}`, () => memory.map());
  const sha256 = await steps.step(`consumer hashes ${what}`, () =>
    createHash('sha256').update(map.bytes).digest('hex'),
  );
  return { sha256, bytes: map.length };
}

const shared = await read('the memory', source);
const copied = await read('the copy', copy);
await tellAndHold({ shared, copied, steps: steps.done });
await client.close();
