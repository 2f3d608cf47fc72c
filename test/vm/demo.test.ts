/**
 * `npm run demo:vm` as a stranger runs it: its JSON, and that nothing is left of it.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { lavapipe, plainEnvironment, root, temporaryFolder } from '../support/daemon.js';
import { noGuest } from '../support/guest.js';
import { runNode } from '../support/program.js';

const program = join(root, 'scripts/demo-vm.mjs');

t.test('a guest and a worker play ping-pong', { skip: noGuest ?? false }, async (t) => {
  const folder = temporaryFolder(t);
  const env = { ...plainEnvironment(), VK_DRIVER_FILES: lavapipe(), TMPDIR: folder };
  const { code, stdout, stderr } = await runNode([program, '--json'], env);
  t.strictSame({ code, stderr }, { code: 0, stderr: '' });
  const { messages, ...result } = JSON.parse(stdout);
  t.match(result, { ok: true, accelerator: /^(kvm|tcg)$/, sandbox: 'bubblewrap', leaks: 0 });
  t.strictSame(
    messages.map(({ bytes }: { bytes: number }) => bytes),
    [64, 65_536, 4_194_304],
  );
  for (const { bytes, roundTrips, perSecond, mibPerSecond } of messages) {
    t.ok(roundTrips > 0, `${bytes} bytes went and came back`);
    t.comment(`figure: ${bytes} bytes: ${perSecond.toFixed(0)}/s, ${mibPerSecond.toFixed(1)} MiB/s`);
  }
  t.strictSame(readdirSync(folder), [], 'its folders are gone');
});

t.test('no driver', { skip: noGuest ?? false }, async (t) => {
  const folder = temporaryFolder(t);
  const env = { ...plainEnvironment(), VK_DRIVER_FILES: '/nonexistent.json', TMPDIR: folder };
  const { code, stdout } = await runNode([program, '--json'], env);
  t.equal(code, 1);
  t.match(JSON.parse(stdout), { ok: false, error: /the daemon ended/ });
  t.strictSame(readdirSync(folder), []);
});
