/**
 * A daemon that crashes and restarts with its sessions, at each point of a conversation: no request is lost
 * or executed twice, and no grant is kept by mistake. The daemon is a fake.
 */
import { once } from 'node:events';
import t from 'tap';
import { comeBack, doOnce, staged, write } from './reconnect-support.js';

t.test('an idle client reconnects to its session', (t) =>
  staged(t, async (client, daemon) => {
    const { session } = client;
    const memory = await client.allocate({ size: 1 });
    const { bytes } = write(memory, 7);
    const released = await client.allocate({ size: 1 });
    await released.release();
    daemon.crash();
    const [reason] = await once(client, 'reconnecting');
    t.match(reason, { code: 'UNAVAILABLE', reason: /handoff\.sock: the daemon closed the connection\./ });
    bytes[0] = 8;
    t.same(
      [bytes[0], bytes[1], memory.map().bytes[0]],
      [8, 7, 8],
      'existing mappings stay, and new ones can be created',
    );
    daemon.start();
    const [how] = await once(client, 'reconnected');
    t.match(how, { restored: true, incarnation: 'incarnation-2' });
    t.ok(how.downMs >= 0 && how.downMs < 60_000, `${how.downMs} ms`);
    t.match(daemon.hellos.at(-1), {
      sessionToken: session.token,
      grantIds: memory.grants.map(({ id }) => id),
    });
    t.equal(client.session.id, session.id);
    t.equal(client.session.incarnation, 'incarnation-2');
    t.not(client.session.token, session.token);
    await using second = await client.claim(memory);
    t.same([second.map().bytes[0], bytes[1]], [8, 7]);
    t.same(daemon.counts, { sessions: 1, allocations: 2, grants: 2 });
    await second.release();
    t.same(await memory.free(), { allocation: null, freed: true });
    t.equal(bytes.length, 0);
    t.same(daemon.counts, { sessions: 1, allocations: 1, grants: 0 });
  }),
);

for (const deed of ['crash', 'do-and-crash'] as const) {
  t.test(`a crash during an allocate: ${deed}`, (t) =>
    staged(t, async (client, daemon) => {
      doOnce(daemon, 'allocate', deed);
      const asked = client.allocate({ size: 1 });
      await comeBack(client, daemon);
      const memory = await asked;
      write(memory, 1);
      t.same(daemon.counts, { sessions: 1, allocations: 1, grants: 1 }, 'it was allocated once');
      t.same(daemon.hellos.at(-1)?.grantIds, [], 'the grant of the lost answer is not reported as held');
    }),
  );

  t.test(`a crash during a claim: ${deed}`, (t) =>
    staged(t, async (client, daemon) => {
      const memory = await client.allocate({ size: 1 });
      doOnce(daemon, 'claim', deed);
      const claimed = client.claim(memory);
      await comeBack(client, daemon);
      const again = await claimed;
      const grants = { sessions: 1, allocations: 1, grants: 2 };
      t.same(daemon.counts, grants, 'it was made again, and the grant of the lost answer is dropped');
      await again.release();
    }),
  );

  t.test(`a crash during a release: ${deed}`, (t) =>
    staged(t, async (client, daemon) => {
      const memory = await client.allocate({ size: 1 });
      doOnce(daemon, 'release', deed);
      const released = memory.release();
      await comeBack(client, daemon);
      await released;
      t.same(daemon.counts, { sessions: 1, allocations: 1, grants: 0 });
      t.equal(daemon.seen.filter((body) => body === 'release').length, 1, 'it is not repeated');
    }),
  );

  t.test(`a crash during a free: ${deed}`, (t) =>
    staged(t, async (client, daemon) => {
      const memory = await client.allocate({ size: 1 });
      doOnce(daemon, 'free', deed);
      const freed = memory.free();
      await comeBack(client, daemon);
      const done = deed === 'do-and-crash';
      t.same(
        await freed,
        { allocation: null, freed: !done },
        'freed; whether other processes hold it is unknown',
      );
      t.same(daemon.counts, { sessions: 1, allocations: 0, grants: 0 });
    }),
  );

  t.test(`a crash during Hello: ${deed}`, (t) =>
    staged(t, async (client, daemon) => {
      const memory = await client.allocate({ size: 1 });
      const { bytes } = write(memory, 3);
      daemon.restart();
      doOnce(daemon, 'hello', deed);
      await once(client, 'reconnecting');
      const asked = client.claim(memory);
      while (daemon.listening) await new Promise(setImmediate);
      daemon.start();
      const [how] = await once(client, 'reconnected');
      t.equal(how.restored, true);
      t.same([(await asked).map().bytes[0], bytes[0]], [3, 3]);
      t.same(daemon.counts, { sessions: 1, allocations: 1, grants: 2 });
    }),
  );
}

t.test('queued requests that were never sent are sent in order after a restart', (t) =>
  staged(t, async (client, daemon) => {
    const memory = await client.allocate({ size: 1 });
    let asked = 0;
    daemon.deed = ({ body }) => {
      if (body !== 'claim') return 'answer';
      asked += 1;
      return asked === 32 ? 'crash' : 'ignore';
    };
    const claims = Array.from({ length: 50 }, () => client.claim(memory));
    const outcomes = Promise.allSettled(claims);
    await once(client, 'reconnecting');
    daemon.deed = () => 'answer';
    daemon.start();
    const settled = await outcomes;
    t.ok(
      settled.every(({ status }) => status === 'fulfilled'),
      'also the 32 whose answers were lost',
    );
    t.same(daemon.counts, { sessions: 1, allocations: 1, grants: 51 });
  }),
);

t.test('requests made while the daemon is down wait', (t) =>
  staged(t, async (client, daemon) => {
    const memory = await client.allocate({ size: 1 });
    daemon.crash();
    await once(client, 'reconnecting');
    const asked = [client.allocate({ size: 1 }), client.claim(memory)];
    const released = memory.release();
    await new Promise((resolve) => setTimeout(resolve, 150));
    t.equal(daemon.seen.length, 2, 'no request was sent');
    daemon.start();
    await Promise.all([...asked, released]);
    t.same(daemon.counts, { sessions: 1, allocations: 2, grants: 2 });
  }),
);

t.test('a client survives repeated restarts', (t) =>
  staged(t, async (client, daemon) => {
    const memory = await client.allocate({ size: 1 });
    const { bytes } = write(memory, 9);
    for (let round = 0; round < 10; round += 1) {
      daemon.restart();
      if (round % 2 === 0) daemon.restart();
      const made = await client.allocate({ size: 1 });
      await made.free();
    }
    t.equal(bytes[100], 9);
    t.same(daemon.counts, { sessions: 1, allocations: 1, grants: 1 });
    t.equal(client.session.id, 1n);
  }),
);
