/**
 * A program with a client that it never closes, and nothing else to do. Usage: reconnect-worker.js
 * RUNTIME_DIR idle|holds. Says what happens to its connection; ends by itself when it is there again.
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
