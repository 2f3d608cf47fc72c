/**
 * A daemon that restarts without its sessions: mappings stay, calls on memory of the old session fail with
 * STALE_INCARNATION, and the client continues with a new session. The daemon is a fake.
 */
import { once } from 'node:events';
import { join } from 'node:path';
import { type Decoded, HANDOFF_SOCKET } from '@vkmemd/proto';
import t from 'tap';
import { root } from '../support/daemon.js';
import { ScriptedDaemon } from '../support/scripted-daemon.js';
import { comeBack, doOnce, staged, write } from './reconnect-support.js';

const STALE = { code: 'STALE_INCARNATION' };

t.test('memory of the old session stays mapped, and a new session is opened', (t) =>
  staged(t, async (client, daemon) => {
    const { session } = client;
    const [memory, other, disposed] = await Promise.all([1, 2, 3].map((size) => client.allocate({ size })));
    if (!memory || !other || !disposed) throw new Error('expected three allocations');
    const { bytes } = write(memory, 5);
    daemon.restores = false;
    daemon.restart();
    const [how] = await once(client, 'reconnected');
    t.match(how, { restored: false, incarnation: 'incarnation-2' });
    t.not(client.session.id, session.id);
    t.not(client.session.token, session.token);
    t.same([bytes[0], memory.map().bytes[1]], [5, 5], 'existing mappings stay, and new ones can be created');
    const copy = memory.fd('MAPPABLE');
    copy.close();
    await t.rejects(memory.createTicket(), STALE);
    await t.rejects(memory.publish(), STALE);
    await t.rejects(other.release(), STALE, 'its session has ended');
    await t.rejects(other.free(), STALE);
    t.equal(other.released, true, 'but it counts as released here');
    await t.resolves(disposed[Symbol.asyncDispose](), 'disposal at the end of a scope reports no error');
    t.same(daemon.counts, { sessions: 1, allocations: 0, grants: 0 });

    const made = await client.allocate({ size: 1 });
    daemon.restores = true;
    daemon.restart();
    t.match(await once(client, 'reconnected'), [{ restored: true }]);
    t.same(
      daemon.hellos.at(-1)?.grantIds,
      made.grants.map(({ id }) => id),
      'grants of the ended session are not reported, because their ids may be reused',
    );
    await t.rejects(memory.free(), STALE);
    t.equal(bytes.length, 0, 'unmapped');
    await made.free();
  }),
);

t.test('pending requests of the old session are rejected; requests not yet sent go to the new one', (t) =>
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
    const freed = t.rejects(memory.free(), STALE, 'free()');
    const released = t.rejects(held.release(), STALE, 'release()');
    while (!daemon.seen.includes('free') || !daemon.seen.includes('release')) await new Promise(setImmediate);
    const allocations = Promise.allSettled(Array.from({ length: 40 }, () => client.allocate({ size: 1 })));
    await once(client, 'reconnecting');
    daemon.deed = () => 'answer';
    const meanwhile = client.allocate({ size: 1 });
    const bound = t.rejects(
      memory.createTicket(),
      STALE,
      'a request that needs the old session, made meanwhile',
    );
    daemon.start();
    await Promise.all([freed, released, bound]);
    const outcomes = (await allocations).map((end) =>
      end.status === 'rejected' ? `${end.reason.code} ${end.reason.metadata.outcome}` : 'answered',
    );
    t.same(
      outcomes,
      Array.from({ length: 40 }, (_, at) => (at < 30 ? 'UNAVAILABLE unknown' : 'answered')),
      'sent requests are rejected, unsent ones are answered',
    );
    t.ok(await meanwhile, 'a request made meanwhile goes to the new session');
    t.same(daemon.counts, { sessions: 1, allocations: 11, grants: 11 });
  }),
);

t.test('an allocate that was repeated and then lost with its session is rejected as unknown', (t) =>
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

t.test('more grants than Hello can list are not listed', async (t) => {
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
    t.equal(daemon.hellos.at(-1)?.keepAllGrants, reported === 0, 'too many: Hello asks to keep all grants');
    handoff.close(new Error('enough'));
  }
});

t.test('two clients of one process reconnect separately', (t) =>
  staged(t, (one, daemon) =>
    staged(t, async (other, another) => {
      const [mine, theirs] = await Promise.all([one.allocate({ size: 1 }), other.allocate({ size: 1 })]);
      const token = other.session.token;
      daemon.restores = false;
      daemon.crash();
      await comeBack(one, daemon);
      t.equal(other.session.token, token, 'the other session is unchanged');
      await t.rejects(mine.free(), STALE);
      await theirs.free();
      t.equal(another.hellos.length, 1);
    }),
  ),
);
