/**
 * `npm run demo:vm` as a new user runs it: its JSON, and that it leaves nothing behind, even when
 * interrupted.
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { lavapipe, plainEnvironment, root, temporaryFolder } from '../support/daemon.js';
import { noGuest } from '../support/guest.js';
import { runNode } from '../support/program.js';

const program = join(root, 'examples/demo-vm/demo-vm.mjs');

t.test(
  'demo:vm reports the round trips between a guest and a worker',
  { skip: noGuest ?? false },
  async (t) => {
    const folder = temporaryFolder(t);
    const env = { ...plainEnvironment(), VK_DRIVER_FILES: lavapipe(), TMPDIR: folder };
    const { code, stdout, stderr } = await runNode([program, '--json', '--ms', '300'], env);
    t.strictSame({ code, stderr }, { code: 0, stderr: '' });
    const { messages, ...result } = JSON.parse(stdout);
    t.match(result, { ok: true, accelerator: /^(kvm|tcg)$/, sandbox: 'bubblewrap', leaks: 0 });
    t.strictSame(
      messages.map(({ bytes }: { bytes: number }) => bytes),
      [64, 65_536, 4_194_304],
    );
    for (const { bytes, roundTrips, perSecond, mibPerSecond } of messages) {
      t.ok(roundTrips > 0, `${bytes} bytes were sent and returned`);
      t.comment(`figure: ${bytes} bytes: ${perSecond.toFixed(0)}/s, ${mibPerSecond.toFixed(1)} MiB/s`);
    }
    t.strictSame(readdirSync(folder), [], 'its folders are removed');
  },
);

t.test('an interrupted demo:vm leaves nothing behind', { skip: noGuest ?? false }, async (t) => {
  const folder = temporaryFolder(t);
  const env = { ...plainEnvironment(), VK_DRIVER_FILES: lavapipe(), TMPDIR: folder };
  const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const closed = new Promise((resolve) => child.once('close', resolve));
  let stdout = '';
  for await (const text of child.stdout.setEncoding('utf8')) {
    stdout += text;
    if (stdout.includes('qemu-system')) child.kill('SIGINT');
  }
  t.match(stdout, /vkmemctl vm ivshmem ball/, 'it prints its steps');
  t.equal(await closed, 1);
  t.strictSame(readdirSync(folder), [], 'its folders are removed');
});
