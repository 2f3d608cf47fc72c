/** examples/cuda, in C and in Python, on the GPU: each step checks the bytes itself, and ends the program if one is wrong. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { compileProgram, expectedLines, runWithWeights } from '../support/cuda-programs.js';
import { assertNoLeaks, root, temporaryFolder } from '../support/daemon.js';
import { gpuTest, startOnGpu } from './support.js';

const compiler = spawnSync('gcc', ['--version']);

/** The devices that CUDA lists to this process. */
function cudaDevices(): number {
  const count = 'from cuda.bindings import driver as d\nd.cuInit(0)\nprint(d.cuDeviceGetCount()[1])';
  return Number(spawnSync('python3', ['-c', count], { encoding: 'utf8' }).stdout);
}

gpuTest('the examples of CUDA', async (t) => {
  const { runtimeDir } = await startOnGpu(t);
  const devices = cudaDevices();
  const python = ['python3', join(root, 'examples/cuda/attach.py')];
  const commands = new Map([['Python', python]]);
  if (compiler.error) t.comment(`the example in C is not run: ${compiler.error.message}`);
  else commands.set('C', [compileProgram('examples/cuda/attach.c', temporaryFolder(t), 'attach')]);
  for (const [language, command] of commands) {
    const { status, stdout, stderr } = runWithWeights(runtimeDir, [...command, 'weights']);
    t.strictSame({ status, stderr }, { status: 0, stderr: '' }, language);
    t.match(stdout.trimEnd().split('\n'), expectedLines(devices));
    for (const line of stdout.trimEnd().split('\n')) t.comment(`figure: ${language}: ${line}`);
  }
  await assertNoLeaks(t, runtimeDir);
});
