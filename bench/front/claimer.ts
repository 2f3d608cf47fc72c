/**
 * A process that claims and releases in turns until its standard input ends, and then prints the latencies of
 * its claims, in microseconds, as one JSON list: claimer.js RUNTIME_DIR NAME.
 */
import { connect } from '@vkmemd/client';

const [runtimeDir = '', name = ''] = process.argv.slice(2);

const client = await connect({ runtimeDir, clientName: 'bench claimer' });
let stopped = false;
process.stdin.once('end', () => {
  stopped = true;
});
process.stdin.resume();
process.stdout.write('ready\n');
const latencies: number[] = [];
while (!stopped) {
  const begun = performance.now();
  const memory = await client.claim({ name });
  latencies.push(Math.round((performance.now() - begun) * 1000));
  await memory.release();
}
await client.close();
process.stdout.write(`${JSON.stringify(latencies)}\n`, () => process.exit(0));
