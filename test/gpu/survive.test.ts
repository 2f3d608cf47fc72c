/**
 * The daemon is killed while a CUDA process uses its memory: the importer is not affected, the bytes stay
 * until it releases them, and the next daemon serves in the same folder.
 */
import { temporaryFolder } from '../support/daemon.js';
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
  SLACK,
  startOnGpu,
  until,
  usedBytes,
} from './support.js';

const WANTED = 4 * GIB;
/** The range in which the importer keeps working; the rest is painted once. */
const BUSY = 64 * MIB;
const WORD = 0x0dd0d000;
const BEFORE_KILL_MS = 500;
const AFTER_KILL_MS = 2000;

gpuTest('an importer outlives a killed daemon', async (t) => {
  const runtimeDir = temporaryFolder(t);
  const asked = await startOnGpu(t, { runtimeDir });
  const { deviceUuid } = await deviceOf(runtimeDir);
  t.same(await asked.stop(), { code: 0, signal: null });
  const baseline = usedBytes(deviceUuid); // without any daemon

  const daemon = await startOnGpu(t, { runtimeDir });
  const session = await Session.open(t, runtimeDir);
  const size = fitting(t, WANTED, await availableBytes(session.control));
  const held = await session.allocate(size, ['KIND_OPAQUE_FD']);
  const peer = await CudaPeer.start(t, deviceUuid, [fdOf(held, 'KIND_OPAQUE_FD')]);
  await peer.ask('adopt', { size, dedicated: grantOf(held).dedicated });
  const rest = { offset: BUSY, size: size - BUSY, stride: BUSY, word: WORD };
  await peer.ask('paint', rest);

  const forMs = BEFORE_KILL_MS + 2 * AFTER_KILL_MS;
  const working = peer.ask('work', { offset: 0, size: BUSY, forMs });
  await new Promise((resolve) => setTimeout(resolve, BEFORE_KILL_MS));
  t.same(await daemon.stop('SIGKILL'), { code: null, signal: 'SIGKILL' });
  const killed = Date.now();
  const { rounds, wrong, lastMs } = await working;
  figure(t, 'work continued after the kill for', lastMs - killed, 'ms');
  figure(t, 'rounds of 64 MiB written and read back', rounds);
  t.ok(lastMs - killed >= AFTER_KILL_MS, 'the importer continued for 2 s');
  t.equal(wrong, 0, 'and read back its writes every time');
  t.same(await peer.ask('check', rest), { wrong: 0 }, 'bytes written before the kill are intact');
  const shown = usedBytes(deviceUuid) - baseline;
  figure(t, 'nvidia-smi shows above the baseline, daemon dead', shown / MIB, 'MiB');
  t.ok(shown >= size - SLACK, 'nvidia-smi still shows the bytes');

  await peer.end();
  session.close();
  t.ok(
    await until(() => usedBytes(deviceUuid) - baseline <= SLACK),
    'when the importer has ended, they are free',
  );
  const next = await startOnGpu(t, { runtimeDir });
  t.not(next.pid, daemon.pid);
  const second = await Session.open(t, runtimeDir);
  const anew = await second.allocate(MIB, ['KIND_OPAQUE_FD'], { grantKinds: [] });
  await second.fill(anew, 1);
  t.equal(await second.free(anew), true, 'a new daemon serves in the same folder');
});
