/**
 * The shares of users in the fd store, and what survives the daemon: users, and sessions of unknown
 * processes, in this process with a real device; and the policy's limit (`stored_fds`), in a daemon.
 */
import { join } from 'node:path';
import { closeAll, DatagramReceiver, type Decoded, decode, encode } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import type { Caller } from 'vkmemd/dist/memory/session/caller.js';
import { PersistentState } from 'vkmemd/dist/store/persistent-state.js';
import { NotifyFdStore } from 'vkmemd/dist/systemd/fd-store.js';
import { Device } from 'vkmemd/dist/vulkan/device.js';
import { coreOn, handlersOf } from '../support/core.js';
import { driverUnderTest, temporaryFolder } from '../support/daemon.js';
import { LET_IN, peer, policyOf } from '../support/quotas.js';
import { SupervisedDaemon } from '../support/supervised-daemon.js';
import { allocate, kinds, list, nothingLeft } from './support.js';

process.env.VK_DRIVER_FILES = driverUnderTest();

const requestOf = (name: string): Decoded<'AllocateRequest'> =>
  decode('AllocateRequest', encode('AllocateRequest', { sizeBytes: 4096n, kinds, name }));

/** A core whose fds are stored by a manager that closes them, with this limit in the policy. */
async function storing(t: Test, max: number) {
  const address = join(temporaryFolder(t), 'notify');
  const on = {
    message: ({ fds }: { fds: Parameters<typeof closeAll>[0] }) => closeAll(fds),
    error(failure: Error) {
      throw failure;
    },
  };
  const receiver = DatagramReceiver.bind(address, on);
  const device = await Device.open();
  const faults: string[] = [];
  const fault = (what: string) => faults.push(what);
  const store = new NotifyFdStore(address, 1000);
  const state = PersistentState.open(temporaryFolder(t), device.info, store, max, new Map(), fault);
  const core = coreOn(device, { policy: policyOf([LET_IN]), faults, persistence: state.writer });
  const handlers = handlersOf(core);
  const allocateFor = async (caller: Caller, request: Decoded<'AllocateRequest'>) => {
    const { response } = await handlers.Allocate(caller, request, []);
    return response as Decoded<'AllocateResponse'>;
  };
  const free = async (caller: Caller, request: Decoded<'FreeAllocationRequest'>) =>
    (await handlers.Free(caller, request, [])).response;
  const end = async () => {
    await state[Symbol.asyncDispose]();
    await device.close();
    receiver.close();
    t.strictSame(faults, []);
    t.ok(core.ledger.empty);
  };
  return { core, allocateFor, free, store, end };
}

t.test('one user cannot take the last quarter of the fd store', async (t) => {
  const { allocateFor, free, store, end } = await storing(t, 16);
  const callerOf = (uid: number) => ({ identity: peer(uid), session: undefined, gone: () => false });
  const [one, other] = [callerOf(1), callerOf(2)];
  const make = (caller: typeof one, at: number) => allocateFor(caller, requestOf(`frames-${at}`));
  for (let at = 0; at < 12; at += 1) await make(one, at);
  await t.rejects(make(one, 12), { code: 'TOO_MANY_FILES', metadata: { limit: '12', whose: 'user' } });
  for (let at = 0; at < 4; at += 1) await make(other, at);
  await t.rejects(make(other, 4), { code: 'TOO_MANY_FILES', metadata: { limit: '16', whose: 'daemon' } });
  t.equal(store.stored, 16);
  const freeOf = (caller: typeof one, at: number) =>
    free(caller, {
      allocation: { id: '', name: `frames-${at}` },
    } as Decoded<'FreeAllocationRequest'>);
  t.match(await freeOf(one, 0), { freed: true });
  await t.rejects(
    make(one, 0),
    { code: 'TOO_MANY_FILES', metadata: { whose: 'user' } },
    'what it released is reserved for others',
  );
  for (let at = 1; at < 12; at += 1) await freeOf(one, at);
  for (let at = 0; at < 4; at += 1) await freeOf(other, at);
  t.equal(store.stored, 0);
  await end();
});

t.test('memory of a session whose process is unknown is not kept', async (t) => {
  const { core, allocateFor, free, end } = await storing(t, 16);
  const identity = peer(1);
  const session = core.lifecycle.begin(identity, 'test', undefined);
  const caller = { identity, session, gone: () => false };
  const own = await allocateFor(caller, requestOf(''));
  t.match(
    own.allocation,
    { lifetime: 'LIFETIME_SESSION', kept: false },
    'it ends with the daemon, and its description states it',
  );
  const named = await allocateFor(caller, requestOf('frames'));
  t.match(named.allocation, { lifetime: 'LIFETIME_NAMED', kept: true });
  await core.lifecycle.end(session);
  await free(caller, { allocation: { id: named.allocation?.id, name: '' } } as never);
  await end();
});

t.test('the policy limits the fd store across a restart', async (t) => {
  const daemon = await SupervisedDaemon.start(t, { policy: '[limits]\nstored_fds = 8\n' });
  const wire = await daemon.open();
  // Six of eight; one is the process of the session.
  for (let at = 0; at < 5; at += 1) {
    const { fd, grantId } = await allocate(wire, at, { name: `frames-${at}` });
    fd.close();
    await wire.ask({ release: { grantId } });
  }
  const more = { allocate: { sizeBytes: 4096n, kinds, name: 'more' } };
  const refusal = { code: 'TOO_MANY_FILES', metadata: { limit: '6', whose: 'user' } };
  await t.rejects(wire.ask(more), refusal);
  await daemon.kill();
  await daemon.serving();
  t.equal((await list(daemon)).length, 5);
  const second = await daemon.open();
  // The session that had nothing has ended, which leaves one place.
  await second.ask(more);
  const another = { allocate: { sizeBytes: 4096n, kinds, name: 'another' } };
  await t.rejects(second.ask(another), refusal, 'restored fds are counted');
  await second.ask({ free: { allocation: { name: 'more' } } });
  for (let at = 0; at < 5; at += 1) await second.ask({ free: { allocation: { name: `frames-${at}` } } });
  second.close();
  wire.close();
  await nothingLeft(t, daemon);
});
