/** vkmemctl ls with imported memory: where it comes from. */
import { createMemfd } from '@vkmemd/proto';
import t from 'tap';
import { connected } from '../client/support.js';
import { startDaemon } from '../support/daemon.js';
import { parsed, vkmemctl } from './support.js';

const SIZE = 65_536;
const uid = String(process.getuid?.() ?? 0);

t.test('ls shows where memory comes from', async (t) => {
  const { runtimeDir } = await startDaemon(t, { args: ['--allow-import', uid] });
  const run = (...args: string[]) => vkmemctl(runtimeDir, ...args);
  const client = await connected(t, runtimeDir);
  const own = await client.allocate({ size: SIZE, kinds: ['OPAQUE_FD'], name: 'own' });
  t.notMatch((await run('ls')).stdout, /SOURCE/, 'not without imports');
  using memfd = await createMemfd('mine', BigInt(SIZE));
  const sent = await client.importMemory({ fd: memfd, source: 'MEMFD', name: 'sent' });
  using fd = own.fd('OPAQUE_FD');
  const { deviceUuid } = own.grants[0] ?? {};
  const made = await client.importMemory({
    fd,
    source: 'CUDA_VMM',
    size: SIZE,
    ...(deviceUuid && { deviceUuid }),
    kinds: ['OPAQUE_FD'],
    name: 'a-name-that-is-longer-than-it-may-be',
  });
  t.match(parsed(await run('ls', '--json')).allocations, [
    { name: 'own', source: 'DAEMON', imported: false },
    { name: 'sent', source: 'IMPORTED', imported: true },
    { name: 'a-name-that-is-longer-than-it-may-be', source: 'CUDA_VMM', imported: true },
  ]);
  const lines = async () => (await run('ls')).stdout.trimEnd().split('\n');
  const list = await lines();
  t.match(list[0], /GRANTS +SOURCE +AGE$/);
  t.match(list[1], / own .* daemon +\d+s$/);
  t.match(list[2], / sent .* imported +\d+s$/);
  t.match(list[3], / a-name-that-is-… .* cuda-vmm +\d+s$/);
  const bounded = await client.allocate({ size: SIZE, name: 'bounded', sharing: 'EXCLUSIVE' });
  const both = await lines();
  t.match(both[0], /GRANTS +SHARING +SOURCE +AGE$/);
  t.match(both[3], / a-name-… .* shared +cuda-vmm +\d+s$/);
  t.ok(
    both.every((line) => line.length <= 100),
    'at most 100 columns',
  );
  for (const memory of [bounded, made, sent, own]) await memory.free();
});
