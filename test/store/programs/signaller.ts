/** A client that creates a signal, prints its secret, and waits to be killed. */
import { connect } from '@vkmemd/client';

const client = await connect({ runtimeDir: process.argv[2] ?? '' });
const { secret } = await client.signals.create();
process.stdout.write(`${secret}\n`);
setInterval(() => {}, 1 << 30);
