/**
 * A client that sends requests, reads nothing, and stops itself (SIGSTOP) on command. When the test continues
 * it, it prints how many fds arrived.
 *
 * Arguments: the runtime folder, the name of an allocation, the number of claims; `breach` to break the
 * protocol before it stops.
 */
import { once } from 'node:events';
import { HandoffWire } from './handoff-wire.js';

const [runtimeDir = '', name = '', count = '0', breach] = process.argv.slice(2);
const wire = await HandoffWire.open(runtimeDir);
wire.connection.pause();
for (let i = 0; i < Number(count); i += 1) {
  wire.send({ claim: { allocation: { name }, kinds: ['KIND_MAPPABLE'] } });
}
process.stdout.write('asked\n');
await once(process.stdin, 'data');
process.stdin.destroy();
if (breach) wire.send({ sequence: 1n, hello: {} });
process.kill(process.pid, 'SIGSTOP');
wire.connection.resume();
let fds = 0;
for (let i = 0; i < Number(count); i += 1) {
  const received = await wire.next();
  fds += received.fds.length;
  for (const fd of received.fds) fd.close();
}
process.stdout.write(`${fds} fds\n`);
wire.close();
