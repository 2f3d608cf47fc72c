/**
 * The benchmark of neighbours: a short run prints one JSON object with a row for each load and operation. No latency
 * is asserted, because a test must not depend on the load of the machine.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { driverUnderTest, plainEnvironment, root, temporaryFolder } from '../support/daemon.js';

const compiler = spawnSync(process.env.CC ?? 'cc', ['--version']);
const noCompiler = compiler.error ? `no C compiler here: ${compiler.error.message}` : false;

t.test('--quick --json prints one object', { skip: noCompiler }, async (t) => {
  t.setTimeout(300_000);
  const tmp = temporaryFolder(t);
  chmodSync(tmp, 0o755); // for the neighbour, which is another user
  const program = join(root, 'bench/dist/neighbours/main.js');
  const env = { ...plainEnvironment(), VK_DRIVER_FILES: driverUnderTest(), TMPDIR: tmp };
  const options = { env, encoding: 'utf8', timeout: 280_000 } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, '--quick', '--json'], options);
  t.equal(status, 0, stderr);
  const { machine, measured } = JSON.parse(stdout);
  t.match(machine, { cpu: /./, pinnedTo: /^\d+$/ });
  const rows = measured.map(({ load, operation, goal }: Record<string, unknown>) => [load, operation, goal]);
  t.strictSame(rows, [
    ['quiet', 'hello', undefined],
    ['quiet', 'claim', undefined],
    ['connects', 'hello', 50],
    ['connects', 'claim', undefined],
    ['hellos', 'hello', 50],
    ['hellos', 'claim', undefined],
    ['churn', 'hello', 5],
    ['churn', 'claim', 5],
  ]);
  for (const { load, operation, p50, p99, max, vsFloor, loadPerSecond } of measured) {
    t.ok(0 < p50 && p50 <= p99 && p99 <= max && vsFloor.p50 <= vsFloor.p99, `${load} ${operation}`);
    t.equal(loadPerSecond > 0, load !== 'quiet', `${load} does something`);
  }
  t.strictSame(readdirSync(tmp), [], 'no file is left');
});
