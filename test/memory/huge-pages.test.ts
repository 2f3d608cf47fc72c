/**
 * Memory on huge pages, which a writer can take from the mappings of others: who may have it. Hosts without free huge
 * pages run this too: an allocation of normal pages is marked as one on huge pages.
 */
import { decode, encode, hugePageSizes, NOTHING_HELD } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { requireOfferable } from 'vkmemd/dist/memory/ivshmem/offer.js';
import type { ClientProcess } from 'vkmemd/dist/memory/session/client-process.js';
import { Device } from 'vkmemd/dist/vulkan/device.js';
import { coreOn, handlersOf } from '../support/core.js';
import { lavapipe } from '../support/daemon.js';
import { LET_IN, OPERATOR_UID, peer, policyOf } from '../support/quotas.js';

process.env.VK_DRIVER_FILES = lavapipe();

const living = { pid: 0, exited: false, watch: () => NOTHING_HELD, closeUnwatched() {} };

/** The handlers of a core on a software device, and an allocation of uid 1 that is marked as one on huge pages. */
async function marked(t: Test) {
  const device = await Device.open();
  const core = coreOn(device, { policy: policyOf([LET_IN]), faults: [] });
  const handlers = handlersOf(core);
  const session = core.lifecycle.begin(peer(1), '', living as unknown as ClientProcess);
  const caller = { identity: peer(1), session, gone: () => false };
  const request = (fields: object) =>
    decode(
      'AllocateRequest',
      encode('AllocateRequest', { sizeBytes: 4096n, kinds: ['KIND_MAPPABLE'], ...fields }),
    );
  const { response } = await handlers.Allocate(caller, request({ name: 'memory' }), []);
  const { allocation } = response as { allocation: { id: string } };
  const memory = core.registry.find({ id: allocation.id }, caller.identity, 'see');
  Object.defineProperty(memory, 'onHugePages', { value: true });
  t.teardown(() => device.close());
  /** Frees it, and asserts that nothing is left. */
  const end = async () => {
    const free = encode('FreeAllocationRequest', { allocation: { id: allocation.id } });
    await handlers.Free(caller, decode('FreeAllocationRequest', free), []);
    await core.lifecycle.end(session);
    t.strictSame([core.grants.size, device.liveMemories], [0, 0], 'nothing is left');
  };
  return { handlers, caller, request, memory, end };
}

t.test('on a software device only operators allocate memory on huge pages, or write it', async (t) => {
  const { handlers, caller, request, end } = await marked(t);
  const claimed = async (access: 'ACCESS_READ_WRITE' | 'ACCESS_READ_ONLY') => {
    const fields = { allocation: { name: 'memory' }, kinds: ['KIND_MAPPABLE'], access } as const;
    const { fds, response } = await handlers.Claim(
      caller,
      decode('ClaimRequest', encode('ClaimRequest', fields)),
      [],
    );
    for (const fd of fds) fd.close();
    const [grant] = (response as { grants: { id: bigint }[] }).grants;
    await handlers.Release(caller, { grantId: grant?.id ?? 0n }, []);
  };
  const refusal = { code: 'NOT_PERMITTED', reason: /only operators may use memory on huge pages/ };
  await t.rejects(claimed('ACCESS_READ_WRITE'), refusal, 'a tenant may not write it');
  await claimed('ACCESS_READ_ONLY');
  const [size = 2n << 20n] = hugePageSizes() ?? [];
  const asked = request({ name: 'other', sizeBytes: size, hints: { hugePageBytes: size } });
  await t.rejects(async () => handlers.Allocate(caller, asked, []), refusal, 'a tenant may not allocate it');
  const operator = { ...caller, identity: peer(OPERATOR_UID) };
  const free = (failure: { code: string }) =>
    t.equal(failure.code, 'HUGE_PAGES_UNAVAILABLE', 'an operator may');
  await Promise.resolve(handlers.Allocate(operator, asked, [])).then(
    () =>
      handlers.Free(
        operator,
        decode('FreeAllocationRequest', encode('FreeAllocationRequest', { allocation: { name: 'other' } })),
        [],
      ),
    free,
  );
  await end();
});

t.test('memory on huge pages is not offered to virtual machines', async (t) => {
  const { memory, end } = await marked(t);
  t.throws(() => requireOfferable(memory), { code: 'INVALID_ARGUMENT', reason: /huge pages/ });
  await end();
});
