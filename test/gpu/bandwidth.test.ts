/** The speed of CUDA copies within imported memory, compared with CUDA's own memory in the same process. */
import { CudaPeer } from './cuda-peer.js';
import { fdOf, grantOf, Session } from './session.js';
import { availableBytes, deviceOf, figure, fitting, GIB, gpuTest, MIB, startOnGpu } from './support.js';

const WANTED = 4 * GIB;
const RUNS = 10;
const COPIES = 5;
const SAMPLE = 64 * MIB;

gpuTest('the speed of copies within imported memory', async (t) => {
  const { runtimeDir } = await startOnGpu(t);
  const { deviceUuid } = await deviceOf(runtimeDir);
  const session = await Session.open(t, runtimeDir);
  // Two halves here, and the same amount of CUDA's own memory.
  const half = fitting(t, WANTED, (await availableBytes(session.control)) / 4);
  const held = await session.allocate(2 * half, ['KIND_OPAQUE_FD']);
  const peer = await CudaPeer.start(t, deviceUuid, [fdOf(held, 'KIND_OPAQUE_FD')]);
  await peer.ask('adopt', { size: 2 * half, dedicated: grantOf(held).dedicated });

  const { importedMs, nativeMs } = await peer.ask('bandwidth', { runs: RUNS, copies: COPIES });
  for (const offset of [0, half - SAMPLE]) {
    const from = await peer.ask('digest', { offset, size: SAMPLE });
    const to = await peer.ask('digest', { offset: half + offset, size: SAMPLE });
    t.same(to, from, `the second half equals the first, ${offset} bytes into it`);
  }
  const rate = (ms: number) => half / 1e6 / ms;
  figure(t, 'bytes copied at once', half / GIB, 'GiB');
  figure(t, 'copy within imported memory', rate(importedMs), 'GB/s');
  figure(t, "copy within CUDA's own memory", rate(nativeMs), 'GB/s');
  figure(t, 'imported / native', nativeMs / importedMs);

  await peer.end();
  await session.free(held);
});
