/**
 * A short run of the benchmark prints one JSON object with the documented fields. No latency is asserted,
 * because a test must not depend on the load of the machine.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { driverUnderTest, plainEnvironment, root, temporaryFolder } from '../support/daemon.js';

const FIGURES = { p50: Number, p99: Number, iterations: Number };

function bench(tmp: string, ...args: string[]) {
  const env = { ...plainEnvironment(), VK_DRIVER_FILES: driverUnderTest(), TMPDIR: tmp };
  return spawnSync(process.execPath, [join(root, 'bench/dist/main.js'), '--quick', ...args], {
    env,
    encoding: 'utf8',
    timeout: 100_000,
  });
}

const compiler = spawnSync(process.env.CC ?? 'cc', ['--version']);
const noCompiler = compiler.error ? `no C compiler here: ${compiler.error.message}` : false;

t.test('--quick --json prints one object', { skip: noCompiler }, async (t) => {
  const tmp = temporaryFolder(t);
  const { status, stdout, stderr } = bench(tmp, '--json');
  t.equal(status, 0, `exit code 0 ${stderr}`);
  const reported = JSON.parse(stdout);
  t.match(reported, {
    floor: { claim: FIGURES, allocate: FIGURES },
    ratios: { claimVsFloor: Number, allocateVsFloor: Number, grpcAllocateVsFloor: Number },
    measured: { claim: FIGURES, wireClaim: FIGURES, allocate: FIGURES, grpcAllocate: FIGURES },
    payloadBytes: 65_536,
    device: /./,
    node: process.version,
    cpu: /./,
    cpus: Number,
  });
  for (const [name, ratio] of Object.entries(reported.ratios)) {
    t.ok(Number.isFinite(ratio) && Number(ratio) > 0, `${name} is a ratio`);
  }
  t.strictSame(readdirSync(tmp), [], 'no file is left');
});

t.test('an unknown option ends it before anything is started', async (t) => {
  const { status, stdout } = bench(temporaryFolder(t), '--fast');
  t.not(status, 0);
  t.equal(stdout, '');
});
