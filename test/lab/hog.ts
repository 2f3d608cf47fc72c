/**
 * A client that needs more memory of its own than its control group permits: it allocates memory of the daemon,
 * maps it, prints its pid, and then fills memory until the kernel ends it. Usage: hog.js RUNTIME_DIR
 */
import { connect } from '@vkmemd/client';

const PART = 8 << 20;

const timeoutMs = 180_000;
const client = await connect({ runtimeDir: process.argv[2] ?? '', clientName: 'hog', timeoutMs });
const memory = await client.allocate({ size: 1 << 20 });
memory.map().bytes.fill(1);
process.stdout.write(`${process.pid} holds memory\n`);
const parts: Buffer[] = [];
for (;;) parts.push(Buffer.alloc(PART, parts.length + 1));
