/**
 * Claims memory by its name and maps it. When a line arrives on its input, it ends its session and keeps the
 * mapping until it is killed. Arguments: the runtime folder, the name. Prints `mapped`, then `forgotten`.
 */
import { once } from 'node:events';
import { mapFd } from '@vkmemd/proto';
import { HandoffWire } from './handoff-wire.js';

const [runtimeDir = '', name = ''] = process.argv.slice(2);
const wire = await HandoffWire.open(runtimeDir);
const { message, fds } = await wire.ask({ claim: { allocation: { name }, kinds: ['KIND_MAPPABLE'] } });
const [fd] = fds;
const grant = message.claim?.grants[0];
if (!fd || !grant) throw new Error('nothing was granted');
const { mapOffsetBytes: offset, mapSizeBytes } = grant;
const mapping = mapFd(fd, { offset, length: Number(mapSizeBytes), access: 'rw' });
fd.close();
process.stdout.write('mapped\n');
await once(process.stdin, 'data');
wire.close();
await wire.closed;
process.stdout.write('forgotten\n');
// A reference keeps the mapping from being garbage-collected.
setInterval(() => mapping.mapped, 60_000);
