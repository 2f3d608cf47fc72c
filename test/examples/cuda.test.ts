/**
 * examples/cuda without a GPU: both programs, on memory of lavapipe and a libcuda.so.1 that is a fake. They claim,
 * choose the device, and call CUDA in the right order with valid arguments; what a GPU does is shown by test/gpu.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { uuidText } from '@vkmemd/proto';
import t from 'tap';
import { ControlWire } from '../support/control-wire.js';
import { compileProgram, expectedLines, fakeCuda, runWithWeights } from '../support/cuda-programs.js';
import { assertNoLeaks, root, startDaemon, temporaryFolder } from '../support/daemon.js';

const OTHER = '00112233445566778899aabbccddeeff';

t.test('memory in CUDA by C and by Python', async (t) => {
  t.setTimeout(150_000);
  const { runtimeDir } = await startDaemon(t);
  const control = new ControlWire(runtimeDir);
  const { devices } = await control.call('ListDevices', {});
  control.close();
  const own = uuidText(devices[0]?.deviceUuid ?? new Uint8Array()).replaceAll('-', '');
  const folder = temporaryFolder(t);
  const programs = {
    C: [compileProgram('examples/cuda/attach.c', folder, 'attach')],
    Python: ['python3', join(root, 'examples/cuda/attach.py')],
  };
  for (const [language, command] of Object.entries(programs)) {
    for (const uuids of [[own], [OTHER, own]]) {
      const env = fakeCuda(folder, uuids);
      const { status, stdout, stderr } = runWithWeights(runtimeDir, [...command, 'weights'], env);
      t.strictSame({ status, stderr }, { status: 0, stderr: '' }, `${language}, ${uuids.length} devices`);
      t.match(stdout.trimEnd().split('\n'), expectedLines(uuids.length));
      t.match(stdout, `64 MiB of GPU ${uuids.indexOf(own)} at`, 'the device of the memory');
    }
    const refused = runWithWeights(runtimeDir, [...command, 'weights'], fakeCuda(folder, [OTHER]));
    t.match(refused, { status: 1, stderr: /WRONG_DEVICE: / }, 'memory of another device');
    const unknown = runWithWeights(runtimeDir, [...command, 'other'], fakeCuda(folder, [own]));
    t.match(unknown, { status: 1, stderr: /VKMEM_ALLOCATIONS has no other/ });
    t.match(runWithWeights(runtimeDir, command), { status: 64, stderr: /^Usage: / });
    // Found before a library of the system.
    const empty = join(folder, `empty ${language}`);
    mkdirSync(join(empty, 'libcuda.so.1'), { recursive: true });
    const none = runWithWeights(runtimeDir, [...command, 'weights'], { LD_LIBRARY_PATH: empty });
    t.match(none, { status: 1, stderr: /libcuda\.so\.1/ }, 'no driver');
  }
  await assertNoLeaks(t, runtimeDir);
});
