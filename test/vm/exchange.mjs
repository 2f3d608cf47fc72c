/**
 * The host's side of an exchange with a guest: waits until the guest has joined, fills the memory from a
 * seed, rings; when rung, prints the sum of the guest's bytes. Usage: exchange.mjs NAME SEED
 */
import { fill, sum } from './pattern.mjs';
import { report, Worker } from './worker.mjs';

const [name, seed] = process.argv.slice(2);
const worker = await Worker.join(name);
await worker.rung();
fill(worker.words, Number(seed));
report({ wrote: sum(worker.words) });
worker.ring();
await worker.rung();
report({ read: sum(worker.words) });
await worker.leave();
