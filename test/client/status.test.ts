/** The status, the sessions and the metrics as the client library reports them. */
import { connect, connectControl } from '@vkmemd/client';
import t from 'tap';
import { ANYBODY, assertNoLeaks, startDaemon } from '../support/daemon.js';

t.test('status, sessions and metrics', async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: ANYBODY });
  const control = connectControl({ runtimeDir });
  t.match(await control.status(), { ready: true, front: { present: true }, counts: { sessions: 0 } });
  t.strictSame(await control.sessions(), []);
  const client = await connect({ runtimeDir, clientName: 'first' });
  const second = await connect({ runtimeDir, clientName: 'second' });
  const memory = await client.allocate({ size: 8192 });
  const status = await client.status();
  t.match(status, {
    ready: true,
    front: { present: true },
    counts: { sessions: 2, allocations: 1, grants: 1 },
    incarnation: client.session.incarnation,
    daemonVersion: client.session.daemonVersion,
  });
  t.strictSame(await control.status(), status, 'both sockets report the same');
  t.match(await control.sessions(), [
    { id: client.session.id, clientName: 'first', allocations: 1, bytes: 8192n, grants: 1 },
    { id: second.session.id, clientName: 'second', allocations: 0, bytes: 0n, grants: 0 },
  ]);
  const metrics = await control.metrics();
  t.match(
    metrics.find(({ name }) => name === 'vkmemd_sessions'),
    { type: 'METRIC_TYPE_GAUGE', metrics: [{ labels: [], value: 2 }] },
  );
  t.match(
    await client.get({ id: memory.allocation.id }),
    { ownerSessionId: client.session.id },
    'an allocation names the session that it ends with',
  );
  await client.close();
  await second.close();
  await control.close();
  await assertNoLeaks(t, runtimeDir);
});
