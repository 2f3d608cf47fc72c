/**
 * The client that is measured: client.js RUNTIME_DIR NAME MILLISECONDS. In turns it connects with a Hello, and claims,
 * maps, writes and releases NAME on a connection that it keeps. It prints the latencies of both, in microseconds, as
 * JSON.
 */
import { Wire } from '../wire.js';

const [runtimeDir = '', name = '', milliseconds = '0'] = process.argv.slice(2);
/** It does not use its processor all the time, which would be a load of its own. */
const PAUSE_MS = 1;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Latency from the first attempt, in a full queue or not, to the Welcome. */
const hello = (): Promise<Wire> => Wire.openPatiently(runtimeDir);

const micros = (begun: number) => Math.round((performance.now() - begun) * 1000);

const latencies: Record<'hello' | 'claim', number[]> = { hello: [], claim: [] };
using held = await hello();
await held.claim(name);
const end = performance.now() + Number(milliseconds);
while (performance.now() < end) {
  let begun = performance.now();
  const wire = await hello();
  latencies.hello.push(micros(begun));
  wire[Symbol.dispose]();
  begun = performance.now();
  await held.claim(name);
  latencies.claim.push(micros(begun));
  await pause(PAUSE_MS);
}
process.stdout.write(`${JSON.stringify(latencies)}\n`);
