/**
 * The host's side of ping-pong with a guest (`/init pong`): writes a message and rings; the guest writes the
 * inverted message to another offset and rings. Of every answer the number, the first and the last word are
 * checked; of the last one of each size, all words. Prints for each size the number of round trips and their
 * time in milliseconds. Usage: ping.mjs NAME MILLISECONDS BYTES...
 */
import { fill } from './pattern.mjs';
import { report, Worker } from './worker.mjs';

/** Offsets in the memory, in words of 32 bits; the header is that of test/vm/guest/init.c. */
const NUMBER = 0;
const LENGTH = 1;
const ANSWERED = 2;
const MESSAGE = 1024;

const [name, milliseconds, ...sizes] = process.argv.slice(2);
const worker = await Worker.join(name);
const { words } = worker;
const answers = words.length / 2;

function requireAnswer(at) {
  const expected = ~words[MESSAGE + at] >>> 0;
  if (words[answers + at] !== expected) throw new Error(`word ${at} of the answer is wrong`);
}

async function roundTrip(number, length) {
  words[MESSAGE] = number;
  words[NUMBER] = number;
  worker.ring();
  await worker.rung();
  if (words[ANSWERED] !== number) throw new Error(`answered ${words[ANSWERED]}, not ${number}`);
  requireAnswer(0);
  requireAnswer(length - 1);
}

await worker.rung();
let number = 0;
for (const bytes of sizes.map(Number)) {
  const length = bytes / 4;
  fill(words.subarray(MESSAGE, MESSAGE + length), bytes);
  words[LENGTH] = bytes / 8;
  const begun = performance.now();
  let roundTrips = 0;
  for (; performance.now() - begun < Number(milliseconds); roundTrips += 1) {
    number += 1;
    await roundTrip(number, length);
  }
  report({ bytes, roundTrips, ms: performance.now() - begun });
  for (let at = 0; at < length; at += 1) requireAnswer(at);
}
words[LENGTH] = 0;
worker.ring();
await worker.leave();
