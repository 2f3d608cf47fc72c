/**
 * Loaded into the daemon before its own code (`node --import`): for each line on standard input it collects
 * all garbage, makes V8 release unused memory, and prints a line on standard output. The daemon itself uses
 * neither.
 */
import { Session } from 'node:inspector';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';

const session = new Session();
session.connect();

// Listening does not keep the daemon from ending.
(process.stdin as Partial<Socket>).unref?.();
createInterface({ input: process.stdin }).on('line', () => {
  session.post('HeapProfiler.collectGarbage', (failure) => {
    process.stdout.write(`collector: ${failure ? failure.message : 'done'}\n`);
  });
});
