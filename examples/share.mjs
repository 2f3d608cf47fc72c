/**
 * Two programs share memory, and know nothing of each other but its name.
 *
 *   node examples/share.mjs write TEXT    allocates the memory, or claims it where it exists, and writes TEXT
 *   node examples/share.mjs read          claims it read-only, and prints the text
 *   node examples/share.mjs free          frees it
 *
 * Memory with a name stays when the program that allocated it has ended, until it is freed.
 */
import { connect } from '@vkmemd/client';

const NAME = 'share-example';
const SIZE = 4096;

/** The text begins with its length, as a 32-bit integer. */
const PREFIX = 4;

const commands = {
  async write(client, text) {
    const memory = await client.allocate({ name: NAME, size: SIZE, ifExists: 'claim' });
    const { bytes, buffer } = memory.map();
    const { written } = new TextEncoder().encodeInto(text, bytes.subarray(PREFIX));
    new DataView(buffer).setUint32(0, written);
    console.log(`wrote ${written} bytes to ${NAME}`);
  },
  async read(client) {
    const memory = await client.claim({ name: NAME }, { access: 'ro' });
    const { bytes, buffer } = memory.map();
    const length = new DataView(buffer).getUint32(0);
    console.log(new TextDecoder().decode(bytes.subarray(PREFIX, PREFIX + length)));
  },
  async free(client) {
    await client.control.free({ name: NAME });
    console.log(`freed ${NAME}`);
  },
};

const [command = '', text = 'Hello'] = process.argv.slice(2);
if (!Object.hasOwn(commands, command)) {
  console.error('Usage: share.mjs write TEXT | read | free');
  process.exit(64);
}
const client = await connect({ clientName: 'share example' });
try {
  await commands[command](client, text);
} catch (failure) {
  // Each failure has a code of the catalogue, and a sentence with what to do.
  console.error(`${failure.code}: ${failure.message}`);
  process.exitCode = 1;
} finally {
  await client.close();
}
