/**
 * Runs the command lines of docs/virtualization.md unchanged. Other tests run those that need a virtual
 * machine or a worker; this test runs the rest, section by section, each on a new daemon.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '@vkmemd/client';
import t from 'tap';
import { parsed, vkmemctl } from '../cli/support.js';
import { assertNoLeaks, root, startDaemon } from '../support/daemon.js';
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

const python = spawnSync('python3', ['--version']);

t.test(
  'a client written from the page alone joins an ivshmem socket',
  { skip: python.error ? `no python3 here: ${python.error.message}` : false },
  async (t) => {
    const { runtimeDir } = await startDaemon(t);
    await using client = await connect({ runtimeDir });
    await client.allocate({ name: 'shared', size: 1n << 20n });
    const vectors = 3;
    const { path } = await client.control.ivshmem.serve({ name: 'shared' }, { vectors });
    const program = join(root, 'test/docs/independent_ivshmem.py');
    const { status, stdout, stderr } = spawnSync('python3', ['-B', program, path, String(vectors)], {
      encoding: 'utf8',
      timeout: 30_000,
    });
    t.equal(status, 0, `exit code 0 ${stderr}`);
    t.strictSame(JSON.parse(stdout || '{}'), {
      start: [0, -1],
      known: true,
      size: 1 << 20,
      shared: 'hello',
      rung: 3,
      not_rung: true,
      left: true,
      ended: true,
      still: 'hello',
    });
    await client.free({ name: 'shared' });
    await client.close();
    await assertNoLeaks(t, runtimeDir);
  },
);

t.test('the demonstration that the page names exists', async (t) => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const named = [...lines.values()].flat().filter(({ command }) => command.startsWith('npm run '));
  for (const { command } of named) t.ok(scripts[command.slice('npm run '.length)], command);
});
