/**
 * Published memory of both kinds on an NVIDIA GPU: what each earlier and later handle still permits, as
 * docs/sharing.md describes.
 */
import { connect } from '@vkmemd/client';
import { mapFd } from '@vkmemd/proto';
import { CudaPeer } from './cuda-peer.js';
import { fdOf, grantOf, Session } from './session.js';
import { firstWrong, gpuTest, MIB, startOnGpu } from './support.js';

const SIZE = 16 * MIB;

gpuTest('published memory of both kinds stays writable only through an earlier OPAQUE_FD', async (t) => {
  const { runtimeDir } = await startOnGpu(t);
  const session = await Session.open(t, runtimeDir);
  await using client = await connect({ runtimeDir });
  const held = await session.allocate(SIZE, ['KIND_MAPPABLE', 'KIND_OPAQUE_FD'], {
    name: 'weights',
    publishable: true,
  });
  const { id } = held.allocation;
  t.match(held.allocation, { publishable: true, published: false });
  const { deviceUuid, dedicated } = grantOf(held);
  const peer = await CudaPeer.start(t, deviceUuid, [fdOf(held, 'KIND_OPAQUE_FD')]);
  await peer.ask('adopt', { size: SIZE, dedicated });
  await peer.ask('paint', { offset: 0, size: SIZE, stride: SIZE, word: 0x11111111 });

  t.match(await client.publish({ id }), { published: true });
  for (const kinds of [['OPAQUE_FD'], ['MAPPABLE', 'OPAQUE_FD']] as const) {
    await t.rejects(
      client.claim({ id }, { kinds, access: 'ro' }),
      { code: 'PUBLISHED' },
      kinds.join(' and '),
    );
  }
  await t.rejects(client.claim({ id }), { code: 'PUBLISHED' }, 'for writing');
  await t.rejects(client.transfer({ fill: { to: { id }, pattern: 1 } }), { code: 'PUBLISHED' });
  const old = fdOf(held, 'KIND_MAPPABLE');
  t.throws(() => mapFd(old, { offset: 0n, length: SIZE, access: 'rw' }), { code: 'NOT_MAPPABLE' });

  const reader = await client.claim({ id }, { kinds: ['MAPPABLE'], access: 'ro' });
  t.match(reader.grants, [{ readOnly: 'READ_ONLY_STRENGTH_ENFORCED' }]);
  const { bytes } = reader.map({ access: 'ro' });
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, SIZE / 4);
  t.equal(firstWrong(words, 0x11111111), -1, "CUDA's earlier writes are read");
  await peer.ask('paint', { offset: 0, size: SIZE, stride: SIZE, word: 0x22222222 });
  t.equal(firstWrong(words, 0x22222222), -1, 'an earlier OPAQUE_FD stays writable');

  await peer.end();
  await reader.release();
  old.close();
  await session.free(held);
});
