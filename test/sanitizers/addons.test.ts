/**
 * The addons' own tests under AddressSanitizer and UndefinedBehaviorSanitizer (sanitized.ts), and a check
 * that the sanitizers detect errors.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { root } from '../support/daemon.js';
import { FOUND, makeReports, reportsIn, sanitizedEnvironment, testSanitized } from './sanitized.js';

const LIBRARY = join(root, 'test/sanitizers/build/libfault.so');
const FAULTS: readonly [string, RegExp][] = [
  ['ReadBehind', /AddressSanitizer: heap-buffer-overflow/],
  ['Overflow', /runtime error: signed integer overflow/],
];
const LOADED = `
import '@vkmemd/proto';
import { readFileSync } from 'node:fs';
process.stdout.write(readFileSync('/proc/self/maps', 'utf8'));
`;

const folder = testSanitized(t, ['native', 'vulkan']);

for (const [name, report] of FAULTS) {
  t.test(`the sanitizer detects ${name}`, async (t) => {
    const reports = join(folder, 'reports', name);
    makeReports(reports);
    const call = `import ctypes; ctypes.CDLL('${LIBRARY}').${name}(16)`;
    const env = sanitizedEnvironment(reports);
    const { status, stderr } = spawnSync('python3', ['-c', call], { env, encoding: 'utf8' });
    t.equal(status, FOUND, stderr);
    t.match(reportsIn(reports), [report]);
  });
}

t.test('the tested programs load the instrumented addons', async (t) => {
  const reports = join(folder, 'reports/none');
  makeReports(reports);
  const program = ['--input-type=module', '-e', LOADED];
  const options = { cwd: folder, env: sanitizedEnvironment(reports), encoding: 'utf8' } as const;
  const { stdout } = spawnSync(process.execPath, program, options);
  for (const loaded of [/libasan\.so/, /test\/sanitizers\/build\/.*vkmem_proto\.node/])
    t.match(stdout, loaded);
  t.strictSame(reportsIn(reports), []);
});
