/** The time until CUDA can use memory of a given size: allocate, grant, import and map it. */
import { CudaPeer, FIRST_FD } from './cuda-peer.js';
import { fdOf, grantOf, type Held, Session } from './session.js';
import { availableBytes, deviceOf, figure, GIB, gpuTest, MIB, startOnGpu, timed } from './support.js';

const WARM_UP = 2 * MIB;
const SIZES = [16 * MIB, 256 * MIB, GIB, 4 * GIB, 16 * GIB, 64 * GIB];

const named = (size: number): string => (size < GIB ? `${size / MIB} MiB` : `${size / GIB} GiB`);

gpuTest('the attach time for each size', async (t) => {
  const { runtimeDir } = await startOnGpu(t);
  const { deviceUuid } = await deviceOf(runtimeDir);
  const owner = await Session.open(t, runtimeDir);
  const user = await Session.open(t, runtimeDir);
  // All of them are allocated at once, so that one process can inherit all fds.
  let left = (await availableBytes(owner.control)) * 0.8;
  const sizes = [WARM_UP];
  for (const size of SIZES) {
    left -= size;
    if (left >= 0) sizes.push(size);
    else t.comment(`${named(size)} is left out: the heap has too few bytes available`);
  }

  const held: Held[] = [];
  for (const size of sizes) {
    const made = await timed(() => owner.allocate(size, ['KIND_OPAQUE_FD'], { grantKinds: [] }));
    const claimed = await timed(() => user.claim(made.result.allocation.id, ['KIND_OPAQUE_FD']));
    held.push(claimed.result);
    if (size === WARM_UP) continue;
    figure(t, `allocate ${named(size)}`, made.ms, 'ms');
    figure(t, `export and grant ${named(size)}`, claimed.ms, 'ms');
  }
  const fds = held.map((one) => fdOf(one, 'KIND_OPAQUE_FD'));
  const peer = await CudaPeer.start(t, deviceUuid, fds);
  for (const [index, size] of sizes.entries()) {
    const dedicated = held.map(grantOf)[index]?.dedicated === true;
    const { importMs, mapMs } = await peer.ask('adopt', { fd: FIRST_FD + index, size, dedicated });
    t.pass(`CUDA mapped ${named(size)}`);
    if (size === WARM_UP) continue;
    figure(t, `CUDA import ${named(size)}`, importMs, 'ms');
    figure(t, `CUDA map ${named(size)}`, mapMs, 'ms');
  }
  await peer.end();
  for (const one of held) {
    await user.release(one);
    t.equal(await owner.free(one), true, 'no process holds it any more');
  }
});
