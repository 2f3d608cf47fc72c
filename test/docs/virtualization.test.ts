/**
 * Runs the command lines of docs/virtualization.md unchanged. Other tests run those that need a virtual
 * machine or a worker; this test runs the rest, section by section, each on a new daemon.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parsed, vkmemctl } from '../cli/support.js';
import { root, startDaemon } from '../support/daemon.js';
import { commandLines, readersEnvironment } from '../support/page.js';

/** Heading -> the test that runs the lines below it. */
const ELSEWHERE = new Map([['Try it', 'test/vm/guest.test.ts']]);

const lines = commandLines('virtualization.md');

t.test('the sections that other tests run name them', async (t) => {
  for (const [heading, file] of ELSEWHERE) {
    t.ok(lines.has(heading), `${heading} is a section with command lines`);
    t.match(readFileSync(join(root, file), 'utf8'), `.get('${heading}')`, file);
  }
});

t.test('the command lines of the other sections succeed', async (t) => {
  const others = [...lines].filter(([heading]) => !ELSEWHERE.has(heading));
  if (others.length === 0) return;
  const { runtimeDir } = await startDaemon(t);
  const env = readersEnvironment(runtimeDir);
  for (const [heading, commands] of others) {
    for (const { command } of commands) {
      const { status, stderr } = spawnSync('sh', ['-c', command], {
        cwd: root,
        env,
        encoding: 'utf8',
        timeout: 60_000,
      });
      t.strictSame({ status, stderr }, { status: 0, stderr: '' }, `${heading}: ${command}`);
    }
    const { allocations } = parsed(await vkmemctl(runtimeDir, 'ls', '--json'));
    for (const { id } of allocations) t.match(await vkmemctl(runtimeDir, 'free', id), { code: 0 });
  }
});

t.test('the demonstration that the page names exists', async (t) => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const named = [...lines.values()].flat().filter(({ command }) => command.startsWith('npm run '));
  for (const { command } of named) t.ok(scripts[command.slice('npm run '.length)], command);
});
