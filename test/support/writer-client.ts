/**
 * A client in a process of its own that executes one line of its standard input at a time. It answers each
 * with a line: `ok`, or the code of the error.
 *
 *   connect         opens a session
 *   claim ACCESS MS claims the allocation with this wait, and maps it
 *   write N         writes the byte through its latest mapping
 *   release         unmaps what it claimed last, and releases it
 *   hang-up         closes only the socket; mappings stay
 *
 * Arguments: the runtime folder, the allocation's name.
 */
import { createInterface } from 'node:readline';
import { type Mapping, mapFd, VkmemError } from '@vkmemd/proto';
import { HandoffWire } from './handoff-wire.js';

const [runtimeDir = '', name = ''] = process.argv.slice(2);
let wire: HandoffWire | undefined;
let mapping: Mapping | undefined;
let grantId = 0n;

const session = (): HandoffWire => {
  if (!wire) throw new Error('not connected');
  return wire;
};

const actions: Record<string, (...operands: string[]) => Promise<void> | void> = {
  connect: async () => {
    wire = await HandoffWire.open(runtimeDir);
  },
  claim: async (access = 'rw', waitMs = '0') => {
    const { message, fds } = await session().ask({
      claim: {
        allocation: { name },
        kinds: ['KIND_MAPPABLE'],
        access: access === 'ro' ? 'ACCESS_READ_ONLY' : 'ACCESS_READ_WRITE',
        waitMs: Number(waitMs),
      },
    });
    const [grant] = message.claim?.grants ?? [];
    const [fd] = fds;
    if (!grant || !fd) throw new Error('no grant');
    grantId = grant.id;
    mapping = mapFd(fd, {
      offset: 0n,
      length: Number(grant.mapSizeBytes),
      access: access === 'ro' ? 'ro' : 'rw',
    });
    fd.close();
  },
  write: (byte = '0') => {
    if (!mapping) throw new Error('not mapped');
    new Uint8Array(mapping.buffer)[0] = Number(byte);
  },
  release: async () => {
    mapping?.unmap();
    await new Promise((resolve) => setImmediate(resolve));
    await session().ask({ release: { grantId } });
  },
  'hang-up': async () => {
    session().close();
    await session().closed;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [action = '', ...operands] = line.split(' ');
  try {
    await actions[action]?.(...operands);
    process.stdout.write('ok\n');
  } catch (failure) {
    process.stdout.write(`${failure instanceof VkmemError ? failure.code : String(failure)}\n`);
  }
}
process.exit();
