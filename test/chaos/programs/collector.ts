/**
 * Loaded into the daemon before its own code (`node --import`): for each line on standard input it collects
 * all garbage, makes V8 and the C library release unused memory, and prints a line on standard output with
 * what V8 still uses. The daemon itself uses neither.
 */
import { Session } from 'node:inspector';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** Of test/native/trim.c. */
const TRIM = fileURLToPath(new URL('../../../native/build/libtrim.so', import.meta.url));

const session = new Session();
session.connect();

/** What a native object refers to becomes garbage when it is freed, so there is a second round. */
const ROUNDS = 2;
const FINALIZERS_MS = 100;

/** @returns what failed; undefined if nothing did. */
const collectGarbage = (): Promise<string | undefined> =>
  new Promise((resolve) => {
    session.post('HeapProfiler.collectGarbage', (failure) => resolve(failure?.message));
  });

/** @returns what failed; undefined if nothing did. */
function trim(): string | undefined {
  try {
    process.dlopen({ exports: {} }, TRIM);
    return undefined;
  } catch (error) {
    const { message } = error as Error;
    // It has done its work when it was loaded.
    return message.includes('did not self-register') ? undefined : message;
  }
}

// Listening does not keep the daemon from ending.
(process.stdin as Partial<Socket>).unref?.();
createInterface({ input: process.stdin }).on('line', async () => {
  let failed: string | undefined;
  for (let round = 0; round < ROUNDS && failed === undefined; round += 1) {
    failed = await collectGarbage();
    // Native objects are freed in a later turn of the event loop than the objects that own them.
    await setTimeout(FINALIZERS_MS);
  }
  failed ??= trim();
  const used = `done ${process.env.VKMEMD_TEST_MALLOC} ${JSON.stringify(process.memoryUsage())}`;
  process.stdout.write(`collector: ${failed ?? used}\n`);
});
