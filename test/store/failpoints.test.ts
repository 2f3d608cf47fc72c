/**
 * A daemon that is killed at each step of allocating, granting and freeing: afterwards an allocation exists,
 * with its bytes and its record in the ledger, or it is gone and nothing of it remains.
 */
import type { OwnedFd } from '@vkmemd/proto';
import t from 'tap';
import { type Greeted, SupervisedDaemon, until } from '../support/supervised-daemon.js';
import { budget, holds, kinds, list, nothingLeft } from './support.js';

/** The step at which the daemon is killed, and whether the allocation exists afterwards. */
const MAKING = [
  ['session:stored', false],
  ['made:nothing', false],
  ['made:stored', false],
  ['made:written', true],
  ['granted:written', true],
] as const;
const FREEING = ['draining:written', 'gone:nothing', 'gone:written'] as const;

/** Sends the request, and waits until the daemon was killed and serves again. */
async function dieAt(daemon: SupervisedDaemon, wire: Greeted, point: string, body: object): Promise<void> {
  const pid = await until('a daemon', () => daemon.pid);
  daemon.failAt(point);
  wire.send(body);
  await wire.closed;
  await daemon.gone(pid);
  await daemon.serving();
}

t.test('killed at each step of an allocate', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  for (const [point, exists] of MAKING) {
    const wire = await daemon.open();
    const request = { sizeBytes: 8192n, kinds, grantKinds: kinds, requestId: point };
    await dieAt(daemon, wire, point, { allocate: request });
    const before = await list(daemon);
    t.equal(before.length, exists ? 1 : 0, `${point}: it ${exists ? 'exists' : 'does not'}`);
    const token = wire.welcome.sessionToken;
    const second = await daemon.open({ token, grantIds: [] });
    t.equal(second.welcome.restored, exists, 'a session that owns something is restored');
    const { message, fds } = await second.ask({ allocate: request });
    const [fd] = fds as [OwnedFd];
    t.equal(message.allocate?.allocation?.id ?? '', before[0]?.id ?? message.allocate?.allocation?.id);
    t.ok(holds({ id: '', grantId: 0n, fd }, 0), 'repeated, there is one allocation, and its bytes are zero');
    t.equal((await budget(daemon)).counts?.allocations, 1);
    t.equal((await budget(daemon)).counts?.grants, 1);
    fd.close();
    second.close();
    wire.close();
    await nothingLeft(t, daemon);
  }
});

t.test('killed at each step of a free', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  for (const point of FREEING) {
    const wire = await daemon.open();
    const { message } = await wire.ask({ allocate: { sizeBytes: 8192n, kinds, name: 'one' } });
    const id = message.allocate?.allocation?.id ?? '';
    await dieAt(daemon, wire, point, { free: { allocation: { id } } });
    wire.close();
    await nothingLeft(t, daemon);
  }
});
