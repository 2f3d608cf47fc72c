/**
 * A backend of another user: claims by tickets, for reading, and prints its grants, the bytes that it maps,
 * and the result of reopening the fd for writing.
 *
 * node other-backend.js RUNTIME_DIR SECRET...
 */
import { openSync, writeSync } from 'node:fs';
import { connect, describeForBackend } from '@vkmemd/client';
import { mapFd, type OwnedFd } from '@vkmemd/proto';

const [runtimeDir = '', ...secrets] = process.argv.slice(2);

/** 'written', or the error. */
function rewritten({ fd }: OwnedFd): string {
  try {
    writeSync(openSync(`/proc/self/fd/${fd}`, 'r+'), Buffer.of(99), 0, 1, 1);
    return 'written';
  } catch (failure) {
    const { syscall, code } = failure as NodeJS.ErrnoException;
    return `${syscall} ${code}`;
  }
}

await using client = await connect({ runtimeDir, clientName: 'other backend' });
const reported: object[] = [];
for (const ticket of secrets) {
  await using memory = await client.claim({ ticket });
  for (const { fd, offset, size, access, readOnly, reopenable } of describeForBackend(memory)) {
    using mapping = mapFd(fd, { offset, length: Number(size), access });
    const [first] = new Uint8Array(mapping.buffer);
    reported.push({ access, readOnly, reopenable, first, again: rewritten(fd) });
    fd.close();
  }
}
process.stdout.write(JSON.stringify(reported));
