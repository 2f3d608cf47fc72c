/**
 * The harness as a program: what it is told wrong, and that nothing of it is left when it is killed.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { plainEnvironment, plainNode, temporaryFolder } from '../support/daemon.js';
import { behaviours } from './behaviours/index.js';
import { programOf } from './companion.js';

const MAIN = fileURLToPath(new URL('main.js', import.meta.url));

t.test('what it is told', async (t) => {
  const reported = (...args: string[]) =>
    spawnSync(...plainNode([MAIN, ...args]), { env: plainEnvironment(), encoding: 'utf8' });
  const help = reported('--help');
  t.equal(help.status, 0);
  for (const { name } of behaviours) t.ok(help.stdout.includes(name), `its help names ${name}`);
  for (const args of [
    ['--minutes', '0'],
    ['--minutes', 'two'],
    ['--driver', 'none'],
    ['--only', 'kindness'],
    ['--nothing'],
  ]) {
    const { status, stderr } = reported(...args);
    t.equal(status, 64, args.join(' '));
    t.match(stderr, /--seed TEXT/, 'and it says what there is');
  }
});

/** The processes that were started with a word in their environment. */
function processesWith(word: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(word);
    } catch {
      return false; // another user's, or gone
    }
  });
}

t.test('an attacker that nobody hears any more ends', async (t) => {
  // Its input goes on: that there is nobody to answer must be enough.
  const child = spawn(...plainNode([programOf('attacker')]), {
    env: plainEnvironment(),
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  t.teardown(() => void child.kill('SIGKILL'));
  child.stdout.destroy();
  t.strictSame(await once(child, 'exit'), [1, null]);
});

t.test('a harness that is killed leaves nothing', async (t) => {
  const folder = temporaryFolder(t);
  // Other users pass through it.
  chmodSync(folder, 0o711);
  const args = [MAIN, '--seed', '1', '--minutes', '1', '--driver', 'fake'];
  const env = { ...plainEnvironment(), TMPDIR: folder };
  const child = spawn(...plainNode(args), { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(child, 'close');
  for await (const line of createInterface({ input: child.stderr })) {
    if (line.includes('warming up')) break;
  }
  // Until attackers are at work, and some of them stopped.
  const busy = () => processesWith(folder).length >= 8;
  for (const end = Date.now() + 20_000; !busy() && Date.now() < end; )
    await new Promise((r) => setTimeout(r, 100));
  t.ok(busy(), `${processesWith(folder).length} processes are at it`);
  t.ok(readdirSync(folder).length > 0, 'and files of theirs are there');
  child.kill('SIGKILL');
  await ended;
  const left = () => [...processesWith(folder), ...readdirSync(folder)];
  for (const end = Date.now() + 20_000; left().length > 0 && Date.now() < end; ) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  t.strictSame(left(), [], 'no process, no file');
});
