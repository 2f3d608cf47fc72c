/**
 * The daemon is killed under its supervisor while most of a GPU's memory is allocated and no other process
 * holds it; after the restart it is granted again, with every byte that CUDA wrote.
 */

import { controlled } from '../store/support.js';
import { SupervisedDaemon } from '../support/supervised-daemon.js';
import { CudaPeer } from './cuda-peer.js';
import {
  availableBytes,
  deviceOf,
  figure,
  fitting,
  GIB,
  gpuTest,
  MIB,
  SLACK,
  usedBytes,
  useGpu,
} from './support.js';

const PIECES = 4;
const WANTED = 64 * GIB;
const STRIDE = 16 * MIB;
/** The GPU memory that a daemon uses for itself, which a killed one does not. */
const OF_DAEMON = GIB;
const word = (piece: number): number => 0x0ca70000 + piece * 0x100000;

gpuTest('64 GiB of OPAQUE_FD memory survive a killed daemon', async (t) => {
  useGpu();
  const daemon = await SupervisedDaemon.start(t);
  const { runtimeDir } = daemon;
  const { deviceUuid } = await deviceOf(runtimeDir);
  const baseline = usedBytes(deviceUuid);
  const wire = await daemon.open();
  const whole = fitting(t, WANTED, await controlled(daemon, availableBytes));
  const size = Math.floor(whole / PIECES / MIB) * MIB;
  const kinds = ['KIND_OPAQUE_FD'] as const;
  const names = Array.from({ length: PIECES }, (_, piece) => `piece-${piece}`);
  for (const [piece, name] of names.entries()) {
    const { message, fds } = await wire.ask({
      allocate: { sizeBytes: BigInt(size), kinds, grantKinds: kinds, name },
    });
    const [grant] = message.allocate?.grants ?? [];
    const peer = await CudaPeer.start(t, deviceUuid, fds);
    await peer.ask('adopt', { size, dedicated: grant?.dedicated ?? false });
    await peer.ask('paint', { offset: 0, size, stride: STRIDE, word: word(piece) });
    await peer.end();
    await wire.ask({ release: { grantId: grant?.id ?? 0n } });
  }
  figure(t, 'bytes painted by CUDA', (size * PIECES) / GIB, 'GiB');
  const incarnation = wire.welcome.incarnation;

  const killed = performance.now();
  await daemon.kill();
  const there = usedBytes(deviceUuid) - baseline;
  figure(t, 'nvidia-smi shows above the baseline, no daemon', there / MIB, 'MiB');
  t.ok(there >= size * PIECES - OF_DAEMON, 'the bytes are in use without a daemon and a client');
  t.not(await daemon.serving(), incarnation);
  figure(t, 'from the kill to an answer of the next daemon', performance.now() - killed, 'ms');

  const second = await daemon.open();
  for (const [piece, name] of names.entries()) {
    const asked = performance.now();
    const { message, fds } = await second.ask({ claim: { allocation: { name }, kinds } });
    figure(t, `claim of ${name}`, performance.now() - asked, 'ms');
    const [grant] = message.claim?.grants ?? [];
    const peer = await CudaPeer.start(t, deviceUuid, fds);
    await peer.ask('adopt', { size, dedicated: grant?.dedicated ?? false });
    const checked = await peer.ask('check', { offset: 0, size, stride: STRIDE, word: word(piece) });
    t.same(checked, { wrong: 0 }, `${name} has every byte written before the kill`);
    await peer.end();
    await second.ask({ release: { grantId: grant?.id ?? 0n } });
    await second.ask({ free: { allocation: { name } } });
  }
  second.close();
  wire.close();
  const left = usedBytes(deviceUuid) - baseline;
  t.ok(left <= SLACK, `all of it is free again: ${left / MIB} MiB are in use`);
});
