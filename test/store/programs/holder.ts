/** A client that owns memory of its session and NAMED memory, prints a line, and waits to be killed. */
import { connect } from '@vkmemd/client';

const client = await connect({ runtimeDir: process.argv[2] ?? '' });
await client.allocate({ size: 4096n });
await client.allocate({ size: 4096n, name: 'stays' });
process.stdout.write('ready\n');
setInterval(() => {}, 1 << 30);
