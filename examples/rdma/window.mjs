/**
 * Lets RDMA peers reach memory of the daemon: takes named memory, and runs `rdma serve` (rdma.c) with its fd.
 *
 *   node examples/rdma/window.mjs NAME [--dmabuf] [OPTION]...    options of `rdma serve`
 *
 * Without --dmabuf a MAPPABLE grant is registered, of whatever is behind it; with it a DMA_BUF grant.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { connect } from '@vkmemd/client';

const PROGRAM = fileURLToPath(new URL('./build/rdma', import.meta.url));
const [name, ...options] = process.argv.slice(2);
const kind = options.includes('--dmabuf') ? 'DMA_BUF' : 'MAPPABLE';
const client = await connect({ clientName: 'rdma window' });
try {
  const memory = await client.claim({ name }, { kinds: [kind] });
  const fd = memory.fd(kind);
  const args = ['serve', '--fd', '3', '--bytes', String(memory.size), ...options];
  const child = spawn(PROGRAM, args, { stdio: ['inherit', 'inherit', 'inherit', fd.fd] });
  fd.close();
  const [code] = await once(child, 'close');
  process.exitCode = code ?? 1;
} finally {
  await client.close();
}
