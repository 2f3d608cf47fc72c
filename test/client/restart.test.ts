/**
 * A real daemon that is killed and started again in the same folder: mappings stay, the client gets a session
 * again, and every call reports its outcome correctly. What the daemon keeps of the old session is tested
 * with the daemon.
 */
import { once } from 'node:events';
import { VkmemError } from '@vkmemd/client';
import t from 'tap';
import { startDaemon } from '../support/daemon.js';
import { connected, MIB } from './support.js';

const codeOf = (end: PromiseSettledResult<unknown>): string =>
  end.status === 'fulfilled'
    ? 'done'
    : end.reason instanceof VkmemError
      ? end.reason.code
      : String(end.reason);

t.test('a client reconnects when the daemon is killed and started again', async (t) => {
  const first = await startDaemon(t, { unchecked: true });
  const { runtimeDir } = first;
  const client = await connected(t, runtimeDir);
  const { session } = client;
  const memory = await client.allocate({ size: MIB });
  const { bytes } = memory.map();
  bytes.fill(6);
  await client.budget();
  const reconnected = once(client, 'reconnected');
  const pending = Array.from({ length: 100 }, () => client.allocate({ size: 4096 }));
  const outcomes = Promise.allSettled(pending);
  const lost = once(client, 'reconnecting');
  await first.stop('SIGKILL');
  await lost;
  const meanwhile = client.allocate({ size: MIB });
  const read = client.devices();
  await startDaemon(t, { runtimeDir });
  const [{ restored, incarnation }] = await reconnected;
  t.not(incarnation, session.incarnation);
  t.equal(client.session.incarnation, incarnation);
  t.equal(client.session.id === session.id && restored, restored, 'the same session, if it is restored');

  t.equal(bytes[MIB - 1], 6, 'mappings stay');
  bytes[0] = 7;
  t.equal(memory.map().bytes[0], 7);
  const ends = (await outcomes).map(codeOf);
  t.same(
    ends.filter((code) => code !== 'done' && code !== 'UNAVAILABLE'),
    [],
    `${ends.filter((code) => code === 'done').length} of 100 were answered`,
  );
  t.equal((await read).incarnation, incarnation, 'a call that only reads is answered by the new daemon');
  const made = await meanwhile;
  made.map().bytes.fill(1);
  t.match(await client.get(made), { id: made.id, lifetime: 'LIFETIME_SESSION' });
  await client.transfer({ fill: { to: made, pattern: 0x02020202 } });
  t.equal(made.map().bytes[0], 2, 'the new session works');
  const freed = await memory.free().then(
    () => 'done',
    (failure: VkmemError) => failure.code,
  );
  t.equal(freed, restored ? 'done' : 'STALE_INCARNATION');
  t.equal(bytes.length, 0);
  await client.close();
});
