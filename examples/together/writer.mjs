/**
 * Sends messages through shared memory to reader.mjs, which runs at the same time. Either may start first:
 * with `ifExists: 'claim'` the second one claims the memory of the first.
 *
 * The programs wake each other with a signal. Its secret opens the other side of it, once; it is passed in the
 * memory.
 */
import { connect } from '@vkmemd/client';
import { Layout, MESSAGES, NAME, SIZE } from './layout.mjs';

const client = await connect({ clientName: 'writer' });
const memory = await client.allocate({ name: NAME, size: SIZE, ifExists: 'claim' });
const shared = new Layout(memory.map());

const { signal, secret } = await client.signals.create();
shared.secret = secret;
await signal.wait(); // until the reader has opened it
for (const message of MESSAGES) {
  shared.text = message;
  signal.ring(); // the reader sees what was written before
  await signal.wait(); // until it was read
}
await memory.free(); // the memory stays until the reader has released it, too
await client.close();
