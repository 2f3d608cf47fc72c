/** Dma-bufs of the kernel's own makers, which no Vulkan driver exported: dma-buf-source.c sends them. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Connection, type OwnedFd, seqpacketPair } from '@vkmemd/proto';
import { root } from '../support/daemon.js';

const PROGRAM = join(root, 'test/lab/build/dma-buf-source');

/** Fds that the caller owns. */
export interface ForeignDmaBuf {
  readonly dmaBuf: OwnedFd;
  /** The file whose pages it has; undefined for memory of a heap. */
  readonly memfd: OwnedFd | undefined;
}

/** @throws Error with the kernel's reason if it refuses. */
export async function foreignDmaBuf(
  kind: 'udmabuf' | 'heap' | 'unsealed',
  bytes: bigint,
): Promise<ForeignDmaBuf> {
  const [own, its] = seqpacketPair();
  const received = new Promise<readonly OwnedFd[]>((resolve) => {
    const handlers = { message: (_: Buffer, fds: OwnedFd[]) => resolve(fds), close: () => resolve([]) };
    new Connection(own, handlers, { maxFds: 2, maxMessageBytes: 64 });
  });
  const child = spawn(PROGRAM, [kind, String(bytes)], { stdio: ['ignore', 'ignore', 'pipe', its.fd] });
  its.close();
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  const [dmaBuf, memfd] = await received;
  if (!dmaBuf) throw new Error(`${kind}: ${said.trim() || `ended with ${code}`}`);
  return { dmaBuf, memfd };
}
