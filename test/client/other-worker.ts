/**
 * Another worker: claims memory by its name, prints its first bytes, adds one to each, and ends by itself
 * once its client is closed. Usage: other-worker.js RUNTIME_DIR NAME
 */
import { connect } from '@vkmemd/client';

const [runtimeDir, name = ''] = process.argv.slice(2);
await using client = await connect({ runtimeDir, clientName: 'other worker' });
await using memory = await client.claim({ name });
const { bytes } = memory.map({ length: 16 });
process.stdout.write(JSON.stringify([...bytes]));
for (const [at, byte] of bytes.entries()) bytes[at] = byte + 1;
