/**
 * Joins an ivshmem socket as a user and prints the result as JSON: the number of words, whether the
 * connection was closed, and the result of the client library.
 *
 * Arguments: the runtime folder, the socket, the allocation's name, and the grant to hold: none, ro or rw; with
 * a fifth, it prints `granted` once it holds it, and joins after a line of standard input.
 */
import { once } from 'node:events';
import { connect } from '@vkmemd/client';
import { VkmemError } from '@vkmemd/proto';
import { IvshmemWire } from '../../support/ivshmem-wire.js';
import { until } from '../../support/supervised-daemon.js';

const [runtimeDir = '', path = '', name = '', access = '', waits] = process.argv.slice(2);
const client = await connect({ runtimeDir });
const memory =
  access === 'none' ? undefined : await client.claim({ name }, { access: access as 'ro' | 'rw' });
if (waits) {
  process.stdout.write('granted\n');
  await once(process.stdin, 'data');
  process.stdin.destroy();
}
const wire = new IvshmemWire(path);
await until('words, or the end', () => wire.hungUp || wire.words.length >= 4 || undefined);
const reported = { words: wire.words.length, hungUp: wire.hungUp };
wire.close();
let joined = 'joined';
try {
  (await client.ivshmem.join(memory ? { id: memory.id } : { name })).close();
} catch (failure) {
  joined = failure instanceof VkmemError ? failure.code : String(failure);
}
await memory?.release();
await client.close();
process.stdout.write(JSON.stringify({ ...reported, joined }));
