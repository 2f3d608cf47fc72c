/** A client that holds the write lock, closes its connection, prints a line, and waits to be killed. */
import { HandoffWire } from '../../support/handoff-wire.js';

const [, , runtimeDir = '', name = ''] = process.argv;
const wire = await HandoffWire.open(runtimeDir);
await wire.ask({ claim: { allocation: { name }, kinds: ['KIND_MAPPABLE'] } });
wire.close();
process.stdout.write('ready\n');
setInterval(() => {}, 1 << 30);
