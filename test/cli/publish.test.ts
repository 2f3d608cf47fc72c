/**
 * vkmemctl with sharing and publishing: alloc --sharing and --publishable, their columns in ls, and publish.
 */
import t from 'tap';
import { connected } from '../client/support.js';
import { startDaemon } from '../support/daemon.js';
import { parsed, vkmemctl } from './support.js';

t.test('alloc, ls and publish show sharing and publication', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const run = (...args: string[]) => vkmemctl(runtimeDir, ...args);
  const client = await connected(t, runtimeDir);
  const long = 'a-name-that-is-longer-than-it-may-be';
  for (const args of [
    ['model', '--sharing', 'one-writer', '--publishable'],
    [long, '--sharing', 'EXCLUSIVE'],
    ['plain'],
  ]) {
    t.match(await run('alloc', '--size', '4096', ...args), { code: 0, stderr: '' });
  }
  const memory = await client.claim({ name: 'model' });
  const { id } = client.session;
  const { allocations } = parsed(await run('ls', '--json'));
  t.match(allocations, [
    { sharing: 'ONE_WRITER', publishable: true, published: false, writerSessionId: Number(id) },
    { sharing: 'EXCLUSIVE', publishable: false, writerSessionId: null },
    { sharing: 'SHARED' },
  ]);
  t.match(await run('publish', 'model'), { code: 1, stderr: /^vkmemctl: BUSY: / });
  await memory.release();
  t.match(await run('publish', 'model'), { code: 0, stdout: /^Published model: 4 KiB\./, stderr: '' });
  const json = parsed(await run('publish', '--json', allocations[0].id));
  t.match(json, { allocation: { published: true, writerSessionId: null } });
  t.match(await run('publish', 'plain'), { code: 1, stderr: /^vkmemctl: NOT_PUBLISHABLE: / });

  const list = (await run('ls')).stdout.trimEnd().split('\n');
  t.match(list[0], /GRANTS +SHARING +AGE$/);
  t.match(list[1], / model .* published .* one +\d+s$/);
  t.match(list[2], / a-name-that-is-… .* live .* excl +\d+s$/);
  t.match(list[3], / plain .* shared +\d+s$/);
  t.ok(
    list.every((line) => line.length <= 100),
    'at most 100 columns',
  );
  await run('free', 'model', 'plain', long);
  t.match(await run('alloc', 'other', '--size', '1', '--sharing', 'two'), {
    code: 1,
    stderr: /^vkmemctl: INVALID_ARGUMENT: .*sharing/,
  });
});

t.test('invalid arguments are rejected before a request is sent', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connected(t, runtimeDir);
  for (const waitMs of [-1, 0.5, 3_600_001, Number.NaN]) {
    await t.rejects(client.claim({ name: 'x' }, { waitMs }), { code: 'INVALID_ARGUMENT' }, String(waitMs));
  }
  await t.rejects(client.allocate({ size: 1, name: 'x', sharing: 'MINE' as 'SHARED' }), {
    code: 'INVALID_ARGUMENT',
  });
});
