/** vkmemctl semaphore: the list with counters, as a table and as JSON, and freeing. */
import { connect } from '@vkmemd/client';
import t from 'tap';
import { assertNoLeaks, startDaemon, temporaryFolder } from '../support/daemon.js';
import { parsed, vkmemctl } from './support.js';

t.test('semaphores are listed and freed', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const run = (...args: string[]) => vkmemctl(runtimeDir, 'semaphore', ...args);
  t.match(await run('ls'), { code: 0, stdout: 'No semaphores.\n' });
  t.same(parsed(await run('ls', '--json')), { semaphores: [] });
  const client = await connect({ runtimeDir });
  const timeline = await client.createSemaphore({ kinds: [], name: 'frames', initialValue: 2n ** 60n + 1n });
  const binary = await client.createSemaphore({ type: 'BINARY', kinds: [] });
  const { stdout } = await run('ls');
  const [heading = '', ...rows] = stdout.trimEnd().split('\n');
  t.match(heading, /^ID +NAME +OWNER +TYPE +KIND +VALUE +KEPT +STATE +AGE$/);
  t.match(rows[0], new RegExp(`^${timeline.id} +frames +\\S+ +TIMELINE +- +1152921504606846977 +no +live`));
  t.match(rows[1], new RegExp(`^${binary.id} +- +\\S+ +BINARY +- +- +no +live`));
  t.match(parsed(await run('ls', '--json')), {
    semaphores: [
      {
        ...{ id: timeline.id, name: 'frames', type: 'TIMELINE', kinds: [], lifetime: 'NAMED', state: 'live' },
        ...{ value: '1152921504606846977', kept: false, ownerSessionId: null },
      },
      { id: binary.id, name: null, type: 'BINARY', value: null, ownerSessionId: Number(client.session.id) },
    ],
  });
  t.match(await vkmemctl(runtimeDir, 'budget'), { stdout: /2 semaphores/ });
  t.match(await vkmemctl(runtimeDir, 'status'), { stdout: /2 semaphores/ });
  t.match(await run('free', 'frames', 'none'), { code: 1, stdout: 'Freed frames.\n', stderr: /NOT_FOUND/ });
  t.match(parsed(await run('free', '--json', binary.id)), { freed: [binary.id] });
  t.match(parsed(await run('free', '--json', 'none')), { freed: [], error: { code: 'NOT_FOUND' } });
  await client.close();
  await assertNoLeaks(t, runtimeDir);
});

t.test('without a daemon', async (t) => {
  t.match(await vkmemctl(temporaryFolder(t), 'semaphore', 'ls'), { code: 69 });
});

t.test('doctor reports what the device can do with semaphores', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const { devices } = parsed(await vkmemctl(runtimeDir, 'doctor', '--json'));
  const { timelines, reports } = devices[0].semaphores;
  t.type(timelines, 'boolean');
  t.same(
    reports.map(({ type, kind }: { type: string; kind: string }) => `${type} ${kind}`),
    ['TIMELINE OPAQUE_FD', 'BINARY OPAQUE_FD', 'BINARY SYNC_FD'],
  );
  t.match(await vkmemctl(runtimeDir, 'doctor'), { stdout: /^TIMELINE +OPAQUE_FD +\S/m });
  await assertNoLeaks(t, runtimeDir);
});
