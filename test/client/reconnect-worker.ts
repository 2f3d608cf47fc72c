/**
 * A program with a client that it never closes and no other work. Usage: reconnect-worker.js RUNTIME_DIR
 * idle|holds. Prints the events of its connection; ends by itself after it reconnected.
 */
import { connect } from '@vkmemd/client';

const [runtimeDir, what] = process.argv.slice(2);
const client = await connect({ runtimeDir });
if (what === 'holds') await client.allocate({ size: 1 });
client.on('reconnecting', () => process.stdout.write('reconnecting'));
client.on('reconnected', () => {
  process.stdout.write(' reconnected');
  process.exit(0);
});
