/**
 * Tries to reach another user's memory. Prints one result for each attempt, as JSON.
 *
 * Arguments: the runtime folder, the id of an allocation, its name, its owner's session token.
 */
import { closeSync, openSync } from 'node:fs';
import { VkmemError } from '@vkmemd/proto';
import { ControlWire } from './control-wire.js';
import { HandoffWire } from './handoff-wire.js';

const [runtimeDir = '', id = '', name = '', token = ''] = process.argv.slice(2);
const kinds = ['KIND_MAPPABLE'] as const;

/** The code that an attempt is refused with; 'served' where it succeeds. */
async function attempt(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'served';
  } catch (failure) {
    return failure instanceof VkmemError ? failure.code : String(failure);
  }
}

const wire = await HandoffWire.open(runtimeDir);
const control = new ControlWire(runtimeDir);
const withToken = ControlWire.withToken(runtimeDir, token);
const small = { sizeBytes: 4096n, kinds };

const own = await wire.ask({ allocate: { ...small, name } });
const readOnly = await wire.ask({ claim: { allocation: { name }, kinds, access: 'ACCESS_READ_ONLY' } });
let reopened = 'refused';
try {
  closeSync(openSync(`/proc/self/fd/${readOnly.fds[0]?.fd}`, 'r+'));
  reopened = 'opened';
} catch (failure) {
  reopened = (failure as NodeJS.ErrnoException).code ?? 'refused';
}
const opaque = ['KIND_OPAQUE_FD'] as const;
const answers = {
  opaqueFd: await attempt(wire.ask({ allocate: { sizeBytes: 4096n, kinds: opaque, grantKinds: opaque } })),
  claimById: await attempt(wire.ask({ claim: { allocation: { id }, kinds } })),
  claimByName: await attempt(wire.ask({ claim: { allocation: { name: `0/${name}` }, kinds } })),
  free: await attempt(wire.ask({ free: { allocation: { id } } })),
  get: await attempt(control.call('GetAllocation', { allocation: { id } })),
  freeByGrpc: await attempt(control.call('FreeAllocation', { allocation: { id } })),
  fill: await attempt(control.call('Transfer', { fill: { allocation: { id }, pattern: 1 } })),
  token: await attempt(withToken.call('Allocate', small)),
  listed: [
    ...new Set((await control.call('ListAllocations', {})).allocations.map(({ ownerUid }) => ownerUid)),
  ],
  sameNameOfOwn: own.message.allocate?.allocation?.ownerUid,
  readOnly: readOnly.message.claim?.grants[0]?.readOnly,
  reopened,
};
for (const fd of readOnly.fds) fd.close();
await wire.ask({ free: { allocation: { name } } });
wire.close();
control.close();
withToken.close();
process.stdout.write(JSON.stringify(answers));
