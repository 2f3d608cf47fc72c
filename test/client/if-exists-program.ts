/**
 * A program that is run any number of times: it adds one to the first byte of memory that the first run
 * allocates, and prints what it found. Usage: if-exists-program.js RUNTIME_DIR NAME SIZE
 */
import { connect } from '@vkmemd/client';

const [runtimeDir, name = '', size] = process.argv.slice(2);
await using client = await connect({ runtimeDir, clientName: 'again' });
await using memory = await client.allocate({ size: Number(size), name, ifExists: 'claim' });
const { bytes } = memory.map({ length: 4096 });
const count = Atomics.add(bytes, 0, 1) + 1;
process.stdout.write(JSON.stringify({ id: memory.id, created: memory.created, count }));
