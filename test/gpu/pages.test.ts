/**
 * Memory as the daemon makes it by default, and memory that is not dedicated: what was measured at the start, and the
 * time to allocate, attach and free each.
 */
import { createHash } from 'node:crypto';
import { CudaPeer } from './cuda-peer.js';
import { fdOf, grantOf, Session } from './session.js';
import {
  availableBytes,
  deviceOf,
  figure,
  fitting,
  GIB,
  gpuTest,
  MIB,
  startOnGpu,
  timed,
} from './support.js';

const WANTED = 64 * GIB;
const ZEROES = createHash('sha256').update(Buffer.alloc(MIB)).digest('hex');

gpuTest('the pages of memory that is dedicated and of memory that is not', async (t) => {
  const { runtimeDir } = await startOnGpu(t);
  const { deviceUuid, pageMeasurement } = await deviceOf(runtimeDir);
  if (!pageMeasurement) throw new Error('the report has no measurement');
  const { prefersDedicated, plainNanoseconds, dedicatedNanoseconds, reason } = pageMeasurement;
  t.comment(`figure: ${reason}`);
  t.ok(plainNanoseconds > 0n && dedicatedNanoseconds > 0n, 'the device was measured');
  const session = await Session.open(t, runtimeDir);
  const size = fitting(t, WANTED, await availableBytes(session.control));
  const large = prefersDedicated ? 'PAGE_SIZE_LARGE' : 'PAGE_SIZE_UNSPECIFIED';
  const small = prefersDedicated ? 'PAGE_SIZE_SMALL' : 'PAGE_SIZE_UNSPECIFIED';
  for (const [dedication, pageSize] of [
    ['DEDICATION_AUTO', large],
    ['DEDICATION_NEVER', small],
  ] as const) {
    const name = `${size / GIB} GiB, ${dedication}`;
    const made = await timed(() => session.allocate(size, ['KIND_OPAQUE_FD'], { dedication }));
    figure(t, `allocate ${name}`, made.ms, 'ms');
    const dedicated = dedication === 'DEDICATION_AUTO' && prefersDedicated;
    t.match(grantOf(made.result), { pageSize, dedicated });
    const peer = await CudaPeer.start(t, deviceUuid, [fdOf(made.result, 'KIND_OPAQUE_FD')]);
    const { importMs, mapMs } = await peer.ask('adopt', { size, dedicated });
    figure(t, `CUDA import and map ${name}`, importMs + mapMs, 'ms');
    const last = await peer.ask('digest', { offset: size - MIB, size: MIB });
    t.same(last, { sha256: ZEROES }, 'its last MiB is zero');
    await peer.ask('close', {});
    await peer.end();
    const freed = await timed(() => session.free(made.result));
    figure(t, `free ${name}`, freed.ms, 'ms');
    t.equal(freed.result, true);
  }
});
