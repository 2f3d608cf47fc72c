/** vkmemd-cuda-export with a fake of CUDA's library: it is ended when it takes too long, and runs one at a time. */
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createMemfd, type OwnedFd } from '@vkmemd/proto';
import t from 'tap';
import { dmaBufByCuda, probeCudaExport } from 'vkmemd/dist/vulkan/cuda-export.js';
import { root, temporaryFolder } from '../support/daemon.js';
import { openFds, settledFds } from './support.js';

const UUID = Buffer.from('00112233445566778899aabbccddeeff', 'hex');
const SIZE = 2n << 20n;

const folder = temporaryFolder(t);
copyFileSync(join(root, 'test/native/build/libcuda.so.1'), join(folder, 'libcuda.so.1'));
const script = (...lines: readonly string[]) =>
  writeFileSync(join(folder, 'cuda'), [`uuid ${UUID.toString('hex')}`, ...lines, ''].join('\n'));
const memory = (): Promise<OwnedFd> => createMemfd('memory', 4096n);
const children = () =>
  readdirSync('/proc/self/task').flatMap((thread) =>
    readFileSync(`/proc/self/task/${thread}/children`, 'utf8').trim().split(' ').filter(Boolean),
  );

process.env.LD_LIBRARY_PATH = folder;

t.test('a process that does not end is ended, and the next one works', async (t) => {
  script();
  t.match(await probeCudaExport(), { rung: 'SUPPORTED' });
  const before = openFds();
  for (const call of ['cuInit', 'cuMemGetHandleForAddressRange']) {
    script(`hang ${call}`);
    const opaque = await memory();
    await t.rejects(dmaBufByCuda(opaque, SIZE, UUID, 300), { code: 'UNAVAILABLE', message: /SIGKILL/ }, call);
    t.equal(opaque.open, false, 'the OPAQUE_FD is closed');
    t.strictSame(children(), [], 'no process is left');
  }
  script();
  const made = await dmaBufByCuda(await memory(), SIZE, UUID);
  t.equal(made.open, true);
  made.close();
  t.equal(await settledFds(before), before, 'no fd is left');
});

t.test('processes run one at a time', async (t) => {
  script(`log ${folder}/log`);
  const before = openFds();
  const asked = Array.from({ length: 4 }, async () => dmaBufByCuda(await memory(), SIZE, UUID));
  let most = 0;
  const watch = setInterval(() => {
    most = Math.max(most, children().length);
  }, 1);
  const made = await Promise.all(asked);
  clearInterval(watch);
  t.ok(most <= 1, `${most} at a time`);
  const calls = readFileSync(join(folder, 'log'), 'utf8').trimEnd().split('\n');
  const starts = calls.flatMap((call, at) => (call.startsWith('cuInit') ? [at] : []));
  const ends = calls.flatMap((call, at) => (call.startsWith('cuMemGetHandle') ? [at] : []));
  t.equal(starts.length, 4);
  t.ok(
    starts.every((at, index) => index === 0 || at > (ends[index - 1] ?? Infinity)),
    'each began when the one before had its dma-buf',
  );
  for (const fd of made) fd.close();
  t.equal(await settledFds(before), before, 'no fd is left');
});

t.test('what is no memory, and a program that cannot find CUDA', async (t) => {
  const before = openFds();
  script('fail cuMemImportFromShareableHandle 400');
  await t.rejects(dmaBufByCuda(await memory(), SIZE, UUID), {
    code: 'KIND_UNSUPPORTED',
    message: /cuMemImportFromShareableHandle: CUresult 400/,
    metadata: { kind: 'DMA_BUF' },
  });
  process.env.LD_LIBRARY_PATH = temporaryFolder(t);
  t.match(await probeCudaExport(), { rung: 'UNSUPPORTED', missing: 'extension', reason: /libcuda\.so\.1/ });
  await t.rejects(dmaBufByCuda(await memory(), SIZE, UUID), { code: 'KIND_UNSUPPORTED', message: /dlopen/ });
  t.equal(await settledFds(before), before, 'no fd is left');
});
