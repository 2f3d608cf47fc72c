/** The demonstration as a new user runs it: its JSON, its text, and that it leaves nothing behind. */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { lavapipe, plainEnvironment, root, temporaryFolder } from '../support/daemon.js';

const program = join(root, 'examples/demo/demo.mjs');

function demo(t: Test, args: readonly string[], extra: NodeJS.ProcessEnv = {}) {
  const folder = temporaryFolder(t);
  const env = { ...plainEnvironment(), VK_DRIVER_FILES: lavapipe(), TMPDIR: folder, ...extra };
  const child = spawn(process.execPath, [program, ...args], { env });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  return { child, ended, left: () => readdirSync(folder) };
}

t.test('the demo prints its result as JSON', async (t) => {
  const { ended, left } = demo(t, ['--json']);
  const { code, stdout, stderr } = await ended;
  t.same({ code, stderr }, { code: 0, stderr: '' });
  const result = JSON.parse(stdout);
  t.same(Object.keys(result).sort(), [
    ...['budget', 'bytes', 'device', 'leaks', 'ok', 'sandbox', 'sha256Match', 'steps'],
  ]);
  t.match(result, { ok: true, bytes: 67_108_864, sha256Match: true, sandbox: 'bubblewrap', leaks: 0 });
  t.match(result.device, { name: /\S/, driver: /\S/, deviceUuid: /^[0-9a-f-]{36}$/ });
  t.same(result.budget.during.counts.allocations, 2);
  t.same(result.budget.during.heaps[0].liveBytes, 2 * 67_108_864);
  t.same(result.budget.after.counts, result.budget.before.counts);
  t.same(left(), [], 'its folder is removed');
});

t.test('the demo prints its result as text', async (t) => {
  const { code, stdout } = await demo(t, []).ended;
  t.equal(code, 0);
  t.match(
    stdout,
    /The consumer read the 64 MiB of the producer, and the device's copy: the SHA-256 is the same/,
  );
  t.match(stdout, /device copies +[\d.]+ ms/);
});

t.test('the demo without a driver names the packages to install', async (t) => {
  const { ended, left } = demo(t, ['--json'], { VK_DRIVER_FILES: '/nonexistent.json' });
  const { code, stdout } = await ended;
  t.equal(code, 1);
  t.match(JSON.parse(stdout), { ok: false, error: /the daemon ended/ });
  t.same(left(), []);
});

t.test('an interrupted demo leaves nothing behind', async (t) => {
  const { child, ended, left } = demo(t, ['--json']);
  while (left().length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  child.kill('SIGINT');
  const { code, stdout } = await ended;
  t.equal(code, 1);
  t.match(JSON.parse(stdout), { ok: false, error: 'interrupted' });
  t.same(left(), []);
});
