/**
 * Calls of one unary method, one after the other: unary.js SOCKET METHOD REQUEST CALLS. Prints the microseconds of each
 * call as a JSON list; REQUEST is hexadecimal.
 */
import { GrpcCalls } from '../grpc/calls.js';

const [socket = '', method = '', hex = '', count = '0'] = process.argv.slice(2);

const calls = new GrpcCalls(socket, method, Buffer.from(hex, 'hex'));
for (let warm = 0; warm < Number(count) / 4; warm += 1) await calls.call();
const latencies: number[] = [];
for (let made = 0; made < Number(count); made += 1) {
  const begun = performance.now();
  await calls.call();
  latencies.push(Math.round((performance.now() - begun) * 1000));
}
calls[Symbol.dispose]();
process.stdout.write(`${JSON.stringify(latencies)}\n`, () => process.exit(0));
