/**
 * A process with very many sessions: sessions-program.js RUNTIME_DIR COUNT. Prints a line once it has them, and does
 * nothing more.
 */
import { HandoffWire } from '../support/handoff-wire.js';

const AT_ONCE = 50;
const [runtimeDir = '', count = '0'] = process.argv.slice(2);
for (let opened = 0; opened < Number(count); opened += AT_ONCE)
  await Promise.all(Array.from({ length: AT_ONCE }, () => HandoffWire.open(runtimeDir)));
process.stdout.write('ready\n');
