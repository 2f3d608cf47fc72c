/** Grants that are never released: their number is limited, and one user cannot take all of them. */
import { NOTHING_HELD } from '@vkmemd/proto';
import t from 'tap';
import type { Allocation } from 'vkmemd/dist/memory/allocation/allocation.js';
import type { AllocationEvent } from 'vkmemd/dist/memory/allocation/events.js';
import { eventChannel } from 'vkmemd/dist/memory/event-channel.js';
import { AccessLock } from 'vkmemd/dist/memory/grant/access-lock.js';
import { Grants } from 'vkmemd/dist/memory/grant/grants.js';
import { NOT_PERSISTED } from 'vkmemd/dist/memory/persistence.js';
import { Session } from 'vkmemd/dist/memory/session/session.js';
import { peer } from '../support/quotas.js';

/** The parts of an allocation that a grant needs; its handles are addresses, which need no fd. */
const handle = { fd: undefined, mapOffset: 0n, mapSize: 0n, fileSize: 0n, handleType: 0, remoteAddress: 1n };
const memory = { export: async () => handle, plan: { cacheType: 'NONE' }, size: 4096n };
const allocation = {
  id: 'one',
  memory,
  lock: new AccessLock('SHARED'),
  grants: 0,
  requireLive() {},
  use: (work: (of: unknown) => unknown) => work(memory),
} as unknown as Allocation;
const device = { info: { type: 'discrete', deviceUuid: Buffer.alloc(16), driverUuid: Buffer.alloc(16) } };

t.test('a user that releases no grant is refused at its limit; others are not', async (t) => {
  const allocationEvents = eventChannel<AllocationEvent>('allocation');
  const collaborators = { device, authority: {}, persistence: NOT_PERSISTED, allocationEvents };
  const grants = new Grants(collaborators as unknown as ConstructorParameters<typeof Grants>[0], 64);
  const sessionOf = (uid: number) => new Session(BigInt(uid), peer(uid), `token ${uid}`, 'test');
  const take = (uid: number) => {
    const session = sessionOf(uid);
    return grants
      .issue({ identity: session.identity, session, gone: () => false }, allocation, ['RDMA_ADDRESS'], 'ro')
      .then(() => session);
  };
  const mine = await Promise.all(Array.from({ length: 48 }, () => take(1)));
  await t.rejects(take(1), {
    code: 'QUOTA_EXCEEDED',
    metadata: { what: 'grants', limit: '48', whose: 'user' },
  });
  const others = await Promise.all([2, 3, 4, 5].flatMap((uid) => Array.from({ length: 4 }, () => take(uid))));
  await t.rejects(take(6), { code: 'QUOTA_EXCEEDED', metadata: { limit: '64', whose: 'daemon' } });
  t.equal(grants.size, 64);
  const drop = (session: Session) => grants.dropAll(session.identity.tenant, grants.ofSession(session));
  for (const session of [...mine, ...others]) await drop(session);
  const outlived = sessionOf(1);
  for (let id = 1n; id <= 70n; id += 1n) {
    const record = { id: 1000n + id, allocation, session: outlived, lock: undefined, fds: 0 };
    grants.restore({ ...record, kind: 'RDMA_ADDRESS', access: 'ro' });
  }
  await t.rejects(
    take(2),
    { code: 'QUOTA_EXCEEDED' },
    'grants restored from an earlier daemon are all counted',
  );
  await drop(outlived);
  await drop(await take(1));
  t.equal(grants.size, 0);
  t.equal(allocation.grants, 0);
});

t.test('a grant is dropped once', async (t) => {
  const allocationEvents = eventChannel<AllocationEvent>('allocation');
  let dropped = 0;
  const count = () => {
    dropped += 1;
  };
  const persistence = { ...NOT_PERSISTED, dropped: count };
  const collaborators = { device, authority: {}, persistence, allocationEvents };
  const grants = new Grants(collaborators as unknown as ConstructorParameters<typeof Grants>[0]);
  const session = new Session(1n, peer(1), 'token', 'test');
  grants.restore({
    ...{ id: 1n, allocation, session, kind: 'RDMA_ADDRESS', access: 'ro', lock: undefined, fds: 0 },
  });
  const [grant] = grants.ofSession(session);
  if (!grant) throw new Error('there is no grant');
  grants.drop({ ...grant, counted: NOTHING_HELD, dropped: true });
  t.equal(grants.size, 1, 'an earlier drop has no further effect');
  grants.drop(grant);
  grants.drop(grant);
  t.same([grants.size, dropped], [0, 1]);
  t.throws(() => grants.find(session, 1n), { code: 'NOT_FOUND' });
});
