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
    await t.rejects(client.claim({ id }, { kinds }), { code: 'PUBLISHED' }, kinds.join(' and '));
  }
  const both = await client.claim({ id }, { kinds: ['MAPPABLE', 'OPAQUE_FD'], access: 'ro' });
  t.match(both.grants, [
    { readOnly: 'READ_ONLY_STRENGTH_ENFORCED' },
    { readOnly: 'READ_ONLY_STRENGTH_ADVISORY' },
  ]);
  await both.release();
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

gpuTest('CUDA maps a published OPAQUE_FD read-only, and a holder that maps it again can write', async (t) => {
  const { runtimeDir } = await startOnGpu(t);
  const session = await Session.open(t, runtimeDir);
  await using client = await connect({ runtimeDir });
  const kinds = ['KIND_OPAQUE_FD'] as const;
  const held = await session.allocate(SIZE, [...kinds], { name: 'weights', publishable: true });
  const { id } = held.allocation;
  const { deviceUuid } = grantOf(held);
  const whole = { offset: 0, size: SIZE, stride: SIZE };
  const writer = await CudaPeer.start(t, deviceUuid, [fdOf(held, 'KIND_OPAQUE_FD')]);
  await writer.ask('map', { size: SIZE });
  await writer.ask('paint', { ...whole, word: 0x33333333 });
  await writer.end();
  t.match(await client.publish({ id }), { published: true });
  await t.rejects(client.claim({ id }, { kinds: ['OPAQUE_FD'] }), { code: 'PUBLISHED' });
  await t.rejects(client.transfer({ fill: { to: { id }, pattern: 1 } }), { code: 'PUBLISHED' });

  /** A process with a read-only grant, which maps it with PROT_READ. */
  const reader = async () => {
    const claimed = await client.claim({ id }, { kinds: ['OPAQUE_FD'], access: 'ro' });
    t.match(claimed.grants, [{ readOnly: 'READ_ONLY_STRENGTH_ADVISORY' }]);
    const peer = await CudaPeer.start(t, deviceUuid, [claimed.fd('OPAQUE_FD')]);
    await peer.ask('map', { size: SIZE, access: 'ro' });
    t.same(await peer.ask('check', { ...whole, word: 0x33333333 }), { wrong: 0 }, 'it reads every byte');
    return { claimed, peer };
  };
  const first = await reader();
  await t.rejects(first.peer.ask('paint', { ...whole, word: 0x44444444 }), /cuda|CUDA/i, 'a write fails');
  // An illegal access ends its context.
  await first.peer.kill();
  await first.claimed.release();

  const second = await reader();
  t.pass('the write of the first changed nothing');
  await second.peer.ask('protect', { access: 'rw' });
  await second.peer.ask('paint', { ...whole, word: 0x55555555 });
  t.same(await second.peer.ask('check', { ...whole, word: 0x55555555 }), { wrong: 0 }, 'it is advisory');
  await second.peer.end();
  await second.claimed.release();
  await session.free(held);
});
