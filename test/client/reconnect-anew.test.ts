/**
 * A daemon that comes back without its sessions: what is mapped stays, what the old session owned means
 * nothing to the daemon any more and says so, and the client goes on with a new session. The daemon is a
 * fake.
 */
import { once } from 'node:events';
import { join } from 'node:path';
import { type Decoded, HANDOFF_SOCKET } from '@vkmemd/proto';
import t from 'tap';
import { root } from '../support/daemon.js';
import { ScriptedDaemon } from '../support/scripted-daemon.js';
import { comeBack, doOnce, staged, write } from './reconnect-support.js';

const STALE = { code: 'STALE_INCARNATION' };

t.test('what is held, and a new session', (t) =>
  staged(t, async (client, daemon) => {
    const { session } = client;
    const [memory, other, disposed] = await Promise.all([1, 2, 3].map((size) => client.allocate({ size })));
    if (!memory || !other || !disposed) throw new Error('three were allocated');
    const { bytes } = write(memory, 5);
    daemon.restores = false;
    daemon.restart();
    const [how] = await once(client, 'reconnected');
    t.match(how, { restored: false, incarnation: 'incarnation-2' });
    t.not(client.session.id, session.id);
    t.not(client.session.token, session.token);
    t.same([bytes[0], memory.map().bytes[1]], [5, 5], 'maps stay, and new ones can be made');
    const copy = memory.fd('MAPPABLE');
    copy.close();
    await t.rejects(memory.createTicket(), STALE);
    await t.rejects(memory.publish(), STALE);
    await t.rejects(other.release(), STALE, 'its session has ended');
    await t.rejects(other.free(), STALE);
    t.equal(other.released, true, 'but it is released here');
    await t.resolves(disposed[Symbol.asyncDispose](), 'at the end of a scope that is as it should be');
    t.same(daemon.counts, { sessions: 1, allocations: 0, grants: 0 });

    const made = await client.allocate({ size: 1 });
    daemon.restores = true;
    daemon.restart();
    t.match(await once(client, 'reconnected'), [{ restored: true }]);
    t.same(
      daemon.hellos.at(-1)?.grantIds,
      made.grants.map(({ id }) => id),
      'grants of a session that is gone are not reported: their numbers may be given anew',
    );
    await t.rejects(memory.free(), STALE);
    t.equal(bytes.length, 0, 'unmapped');
    await made.free();
  }),
);

t.test('what was asked', (t) =>
  staged(t, async (client, daemon) => {
    const memory = await client.allocate({ size: 1 });
    const held = await client.allocate({ size: 1 });
    daemon.restores = false;
    let asked = 0;
    daemon.deed = ({ body }) => {
      if (body !== 'allocate') return body === 'hello' ? 'answer' : 'ignore';
      asked += 1;
      return asked === 30 ? 'crash' : 'ignore';
    };
    const freed = t.rejects(memory.free(), STALE, 'a free');
    const released = t.rejects(held.release(), STALE, 'a release');
    while (!daemon.seen.includes('free') || !daemon.seen.includes('release')) await new Promise(setImmediate);
    const allocations = Promise.allSettled(Array.from({ length: 40 }, () => client.allocate({ size: 1 })));
    await once(client, 'reconnecting');
    daemon.deed = () => 'answer';
    const meanwhile = client.allocate({ size: 1 });
    const bound = t.rejects(memory.createTicket(), STALE, 'of the old session, asked meanwhile');
    daemon.start();
    await Promise.all([freed, released, bound]);
    const outcomes = (await allocations).map((end) =>
      end.status === 'rejected' ? `${end.reason.code} ${end.reason.metadata.outcome}` : 'answered',
    );
    t.same(
      outcomes,
      Array.from({ length: 40 }, (_, at) => (at < 30 ? 'UNAVAILABLE unknown' : 'answered')),
      'what was asked of the old session, and what never left',
    );
    t.ok(await meanwhile, 'what was asked meanwhile is asked of the new one');
    t.same(daemon.counts, { sessions: 1, allocations: 11, grants: 11 });
  }),
);

t.test('an allocate that was asked again, and then lost with its session', (t) =>
  staged(t, async (client, daemon) => {
    doOnce(daemon, 'allocate', 'do-and-crash');
    const lost = t.rejects(client.allocate({ size: 1 }), {
      code: 'UNAVAILABLE',
      metadata: { retryable: 'true', outcome: 'unknown' },
    });
    await once(client, 'reconnecting');
    doOnce(daemon, 'allocate', 'crash');
    daemon.start();
    await once(client, 'reconnecting');
    daemon.restores = false;
    daemon.restart();
    await Promise.all([once(client, 'reconnected'), lost]);
    t.same(daemon.counts, { sessions: 1, allocations: 0, grants: 0 });
  }),
);

t.test('more grants than a greeting has room for', async (t) => {
  const { Reconnection } = (await import(
    join(root, 'client/typescript/dist/connection/reconnection.js')
  )) as {
    Reconnection: new (
      lost: object,
      keepsAlive: boolean,
    ) => { run(): Promise<{ welcome: Decoded<'Welcome'>; handoff: { close(reason: Error): void } }> };
  };
  const daemon = new ScriptedDaemon(t);
  const path = join(daemon.runtimeDir, HANDOFF_SOCKET);
  for (const [count, reported] of [
    [6000, 6000],
    [30_000, 0],
  ]) {
    const grantIds = () => Array.from({ length: count ?? 0 }, (_, at) => 2n ** 62n + BigInt(at));
    const lost = { path, clientName: 'c'.repeat(128), token: 'token', reconnectMs: 60_000, grantIds };
    const unlimited = () => true;
    const { welcome, handoff } = await new Reconnection({ ...lost, unlimited }, true).run();
    t.equal(welcome.restored, false);
    t.equal(daemon.hellos.at(-1)?.grantIds.length, reported, `${count} grants`);
    t.equal(daemon.hellos.at(-1)?.sessionToken, 'token');
    t.equal(daemon.hellos.at(-1)?.keepAllGrants, reported === 0, 'too many: none is to be taken back');
    handoff.close(new Error('enough'));
  }
});

t.test('two clients of one process', (t) =>
  staged(t, (one, daemon) =>
    staged(t, async (other, another) => {
      const [mine, theirs] = await Promise.all([one.allocate({ size: 1 }), other.allocate({ size: 1 })]);
      const token = other.session.token;
      daemon.restores = false;
      daemon.crash();
      await comeBack(one, daemon);
      t.equal(other.session.token, token, 'are independent');
      await t.rejects(mine.free(), STALE);
      await theirs.free();
      t.equal(another.hellos.length, 1);
    }),
  ),
);
