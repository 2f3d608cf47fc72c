/**
 * An allocation that survived a restart of the daemon but is not on its device: it is reported as degraded,
 * can be freed, and requests that need the device are refused with a code of their own. Both sockets are
 * fakes.
 */
import { VkmemError } from '@vkmemd/client';
import { type Decoded, statusOf } from '@vkmemd/proto';
import t from 'tap';
import { parsed, vkmemctl } from '../cli/support.js';
import { startFakeControl } from './fake-control.js';
import { ALLOCATION, GRANT, startFakeDaemon } from './fake-daemon.js';
import { connected } from './support.js';

const ID = '1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed';
const DEGRADED = { ...ALLOCATION, id: ID, state: 'ALLOCATION_STATE_DEGRADED' } as const;

t.test('the library reports a degraded allocation and can free it', async (t) => {
  const { runtimeDir } = startFakeDaemon(t, ({ sequence, claim }) => {
    const refused = claim?.kinds.includes('KIND_OPAQUE_FD');
    const error = statusOf(new VkmemError('DEGRADED', 'It is not imported again yet.'));
    const grants = [{ ...GRANT, allocationId: ID, fdCount: 0 }];
    return [
      { message: { sequence, ...(refused ? { error } : { claim: { allocation: DEGRADED, grants } }) } },
    ];
  });
  await startFakeControl(t, runtimeDir, {
    Transfer: () => {
      throw new VkmemError('DEGRADED');
    },
  });
  const client = await connected(t, runtimeDir);
  const memory = await client.claim({ id: ID });
  t.equal(memory.allocation.state, 'ALLOCATION_STATE_DEGRADED');
  const refused = { code: 'DEGRADED', next: /the device may import it later/ };
  await t.rejects(client.claim({ id: ID }, { kinds: ['OPAQUE_FD'] }), refused);
  await t.rejects(client.transfer({ fill: { to: memory, pattern: 1 } }), refused);
});

t.test('vkmemctl shows a degraded allocation and can free it', async (t) => {
  const { runtimeDir } = startFakeDaemon(t, () => []);
  const freed: Decoded<'FreeAllocationRequest'>[] = [];
  await startFakeControl(t, runtimeDir, {
    ListAllocations: () => ({ allocations: [DEGRADED] }),
    FreeAllocation: (request) => {
      freed.push(request);
      if (request.allocation?.name) throw new VkmemError('NOT_FOUND');
      return { allocation: DEGRADED, freed: true };
    },
  });
  t.match((await vkmemctl(runtimeDir, 'ls')).stdout, /^1b9d6bcd .* degraded /m);
  t.match(parsed(await vkmemctl(runtimeDir, 'ls', '--json')), { allocations: [{ state: 'DEGRADED' }] });
  t.match(
    await vkmemctl(runtimeDir, 'free', '1b9d6bcd'),
    { code: 0 },
    'by the part of its id that vkmemctl shows',
  );
  t.match(freed.at(-1), { allocation: { id: ID } });
});
