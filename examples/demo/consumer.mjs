/** The consumer: claims memory by its name and hashes its bytes. Usage: consumer.mjs NAME */
import { createHash } from 'node:crypto';
import { connect } from '@vkmemd/client';
import { Steps, tellAndHold } from './worker.mjs';

const [name] = process.argv.slice(2);
const steps = new Steps();

const client = await steps.step('consumer connects', () => connect({ clientName: 'demo consumer' }));
const memory = await steps.step('consumer claims', () => client.claim({ name }, { access: 'ro' }));
const map = await steps.step('consumer maps', () => memory.map());
const sha256 = await steps.step('consumer hashes', () =>
  createHash('sha256').update(map.bytes).digest('hex'),
);
await tellAndHold({ sha256, bytes: map.length, steps: steps.done });
await client.close();
