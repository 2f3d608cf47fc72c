/** Prints the messages of writer.mjs, which runs at the same time. Either may start first. */
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '@vkmemd/client';
import { Layout, NAME, SIZE } from './layout.mjs';

const client = await connect({ clientName: 'reader' });
const memory = await client.allocate({ name: NAME, size: SIZE, ifExists: 'claim' });
const shared = new Layout(memory.map());

while (shared.secret === undefined) await sleep(10); // until the writer has started
const signal = await client.signals.open(shared.secret);
signal.ring();
for (;;) {
  await signal.wait();
  const { text } = shared;
  if (text) console.log(`read ${text}`);
  signal.ring();
  if (!text) break;
}
await client.close();
