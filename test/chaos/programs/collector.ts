/**
 * Loaded into the daemon before its own code (`node --import`): for each line on standard input it collects
 * all garbage that there is, has V8 give back what it does not need, and says so on standard output. The
 * daemon itself uses neither.
 */
import { Session } from 'node:inspector';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';

const session = new Session();
session.connect();

// That it listens keeps no daemon from ending.
(process.stdin as Partial<Socket>).unref?.();
createInterface({ input: process.stdin }).on('line', () => {
  session.post('HeapProfiler.collectGarbage', (failure) => {
    process.stdout.write(`collector: ${failure ? failure.message : 'done'}\n`);
  });
});
