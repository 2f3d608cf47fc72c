/**
 * A program that maps a dma-buf of the (fake) daemon in the folder, writes, synchronises, and releases it as
 * its argument states: dma-buf-program.js RUNTIME_DIR unmap|release|close. It prints the result as JSON.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { connect, VkmemError } from '@vkmemd/client';

const [runtimeDir, end] = process.argv.slice(2);
const failed: string[] = [];

async function attempt(what: string, step: () => unknown): Promise<void> {
  try {
    await step();
  } catch (failure) {
    if (!(failure instanceof VkmemError)) throw failure;
    failed.push(`${what}: ${failure.code} ${failure.metadata.errno}`);
  }
}

const client = await connect({ runtimeDir });
const before = readdirSync('/proc/self/fd').length;
const memory = await client.allocate({ size: 4096 });
await attempt('map', () => {
  const writer = memory.map();
  writer.bytes[0] = 1;
  writer.sync();
  if (end !== 'unmap') return;
  memory.map({ access: 'ro', length: 1 }).unmap();
  writer.unmap();
  writer.unmap();
  writer.sync();
});
if (end === 'close') await attempt('close', () => client.close());
else await attempt('release', () => memory.release());
const leaked = end !== 'close' && readdirSync('/proc/self/fd').length !== before;
await turn();
const mapped = readFileSync('/proc/self/maps', 'utf8').includes('vkmem-no-dma-buf');
await client.close();
process.stdout.write(JSON.stringify({ failed, released: memory.released, leaked, mapped }));
