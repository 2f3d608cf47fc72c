/** The fds of the daemon: its limit, and what leases how many of them. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import { connect } from '@vkmemd/client';
import { ADMIN_SOCKET, decode, encode, NOTHING_HELD, openPidfd } from '@vkmemd/proto';
import t from 'tap';
import type { ClientProcess } from 'vkmemd/dist/memory/session/client-process.js';
import { tenantOfUid } from 'vkmemd/dist/policy/tenant.js';
import { Device } from 'vkmemd/dist/vulkan/device.js';
import { scrape } from '../admin/support.js';
import { ControlWire } from '../support/control-wire.js';
import { coreOn, handlersOf } from '../support/core.js';
import { ANYBODY, assertNoLeaks, driverUnderTest, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { LET_IN, peer, policyOf } from '../support/quotas.js';
import { until } from '../support/supervised-daemon.js';

const kinds = ['KIND_MAPPABLE'] as const;

t.setTimeout(120_000);

t.test('the soft limit of files is raised to the hard one', async (t) => {
  const { pid, runtimeDir } = await startDaemon(t, { before: ['prlimit', '--nofile=300:4096'] });
  const limits = readFileSync(`/proc/${pid}/limits`, 'utf8');
  t.match(limits, /^Max open files +4096 +4096 /m);
  await assertNoLeaks(t, runtimeDir);
});

t.test('what leases how many fds', async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: ANYBODY });
  const leased = async () => (await scrape(runtimeDir))('vkmemd_fds_leased');
  const wire = await HandoffWire.open(runtimeDir);
  let before = await leased();
  /** Waits until so many more, or less, are leased. */
  const changed = async (by: number, what: string) => {
    await until(
      `${what}: ${by} more than ${before}`,
      async () => (await leased()) === before + by || undefined,
    );
    t.pass(`${what}: ${by}`);
    before += by;
  };

  const second = await HandoffWire.open(runtimeDir);
  await changed(2, 'a handoff connection');
  second.close();
  await changed(-2, 'its end');

  const control = new ControlWire(runtimeDir);
  await control.budget();
  await changed(1, 'a control connection');
  const admin = connectSocket(join(runtimeDir, ADMIN_SOCKET));
  await once(admin, 'connect');
  await changed(1, 'an admin connection');
  admin.destroy();
  await changed(-1, 'its end');

  const make = async (name: string) => {
    const { message, fds } = await wire.ask({
      allocate: { sizeBytes: 1n << 20n, kinds, name, grantKinds: kinds },
    });
    for (const fd of fds) fd.close();
    return message.allocate;
  };
  const made = await make('one');
  await changed(1, 'an allocation');

  for (const fd of (await wire.ask({ createSignal: {} })).fds) fd.close();
  await changed(2, 'an unopened signal');

  const pidfd = openPidfd(process.pid);
  const grantIds = [made?.grants[0]?.id ?? 0n];
  wire.send({ entrust: { grantIds }, fdCount: 1 }, [pidfd]);
  const { message } = await wire.next();
  await changed(1, 'an entrusted session');
  await wire.ask({ endEntrusted: { sessionId: message.entrust?.sessionId ?? 0n } });
  await changed(-1, 'its end');

  const client = await connect({ runtimeDir });
  await changed(2, 'a handoff connection');
  const vectors = 5;
  await client.control.ivshmem.serve({ name: 'one' }, { vectors });
  await changed(1 + 1, 'an offer, and the control connection of the client');
  const joined = await client.ivshmem.join({ name: 'one' });
  await changed(2 + vectors, 'a peer of an offer');
  joined.close();
  await changed(-2 - vectors, 'its end');
  await client.control.ivshmem.stop({ name: 'one' });
  await changed(-1, 'the end of the offer');
  await client.close();
  await changed(-3, 'the end of the client');

  await wire.ask({ free: { allocation: { name: 'one' } } });
  await changed(-1, 'the end of the allocation');
  wire.close();
  await changed(-4, 'the end of the session, with its signal');
  control.close();
  await assertNoLeaks(t, runtimeDir);
});

t.test('a connection of a user that may import leases one more', async (t) => {
  const args = ['--allow-import', String(process.getuid?.())];
  const { runtimeDir } = await startDaemon(t, { policy: ANYBODY, args });
  const leased = async () => (await scrape(runtimeDir))('vkmemd_fds_leased');
  const before = await leased();
  const wire = await HandoffWire.open(runtimeDir);
  await until('three more are leased', async () => (await leased()) === before + 3 || undefined);
  wire.close();
  await until('they are free again', async () => (await leased()) === before || undefined);
  await assertNoLeaks(t, runtimeDir);
});

t.test('what is refused while few fds are free', async (t) => {
  process.env.VK_DRIVER_FILES ??= driverUnderTest();
  const device = await Device.open();
  const core = coreOn(device, { policy: policyOf([LET_IN]), faults: [] });
  t.teardown(() => device.close());
  const handlers = handlersOf(core);
  const living = { pid: 0, exited: false, watch: () => NOTHING_HELD, closeUnwatched() {} };
  const session = core.lifecycle.begin(peer(1), '', living as unknown as ClientProcess);
  const caller = { identity: peer(1), session, gone: () => false };
  const fields = { sizeBytes: 4096n, kinds, name: 'memory', publishable: true };
  await handlers.Allocate(caller, decode('AllocateRequest', encode('AllocateRequest', fields)), []);
  const named = encode('PublishRequest', { allocation: { name: 'memory' } });
  const publish = async () => await handlers.Publish(caller, decode('PublishRequest', named), []);
  const leases: Disposable[] = [];
  const fill = () => {
    for (let uid = 1000; core.fds.leased < core.fds.capacity; uid += 1)
      leases.push(core.fds.lease(tenantOfUid(uid), 1));
  };
  fill();
  const { liveMemories } = device;
  const one = decode('AllocateRequest', encode('AllocateRequest', { sizeBytes: 4096n, kinds }));
  await t.rejects(async () => handlers.Allocate(caller, one, []), { code: 'TOO_MANY_FILES' });
  t.equal(device.liveMemories, liveMemories, 'an allocation is refused before the driver is called');
  for (let free = 0; free < 3; free += 1) {
    await t.rejects(publish(), { code: 'TOO_MANY_FILES' }, `${free} fds are free`);
    leases.pop()?.[Symbol.dispose]();
  }
  await publish();
  const used = core.fds.capacity - core.fds.leased;
  t.equal(used, 3, 'they are free again');
  for (const lease of leases) lease[Symbol.dispose]();
  const id = encode('FreeAllocationRequest', { allocation: { name: 'memory' } });
  await handlers.Free(caller, decode('FreeAllocationRequest', id), []);
  await core.lifecycle.end(session);
});
