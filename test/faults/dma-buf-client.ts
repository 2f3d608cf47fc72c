/**
 * A client of the library that maps a NAMED allocation, which is a dma-buf: dma-buf-client.js RUNTIME_DIR
 * NAME. It reads the bytes, writes on the second page, and prints the result as JSON.
 */
import { connect } from '@vkmemd/client';

const WORDS = 'by the library';
const [runtimeDir, name = ''] = process.argv.slice(2);
const client = await connect({ runtimeDir });

const reader = await client.claim({ name }, { access: 'ro' });
const seen = reader.map({ access: 'ro' });
const text = Buffer.from(seen.bytes).toString('latin1', 0, 25);
const readOnly = String(reader.grants[0]?.readOnly).replace('READ_ONLY_STRENGTH_', '');
seen.unmap();
await reader.release();

const writer = await client.claim({ name });
const written = writer.map({ offset: 4096, length: 4096 });
Buffer.from(written.bytes.buffer, written.bytes.byteOffset).write(WORDS);
written.sync();
written.unmap();
await writer.release();

await client.close();
process.stdout.write(JSON.stringify({ text, readOnly, wrote: WORDS }));
