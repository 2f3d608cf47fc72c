/** The harness as a program: invalid options, and that it leaves nothing when it is killed. */
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

t.test('options are validated and --help lists them', async (t) => {
  const reported = (...args: string[]) =>
    spawnSync(...plainNode([MAIN, ...args]), { env: plainEnvironment(), encoding: 'utf8' });
  const help = reported('--help');
  t.equal(help.status, 0);
  for (const { name } of behaviours) t.ok(help.stdout.includes(name), `its help names ${name}`);
  for (const args of [
    ['--minutes', '0'],
    ['--minutes', 'two'],
    ['--driver', 'none'],
    ['--front-kills', 'none'],
    ['--only', 'kindness'],
    ['--nothing'],
  ]) {
    const { status, stderr } = reported(...args);
    t.equal(status, 64, args.join(' '));
    t.match(stderr, /--seed TEXT/, 'the error lists the valid options');
  }
});

/** The processes with a word in their environment. */
function processesWith(word: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(word);
    } catch {
      return false; // another user's, or ended
    }
  });
}

t.test('an attacker whose harness is gone ends', async (t) => {
  // Its input stays open: the closed output alone must end it.
  const child = spawn(...plainNode([programOf('attacker')]), {
    env: plainEnvironment(),
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  t.teardown(() => void child.kill('SIGKILL'));
  child.stdout.destroy();
  t.strictSame(await once(child, 'exit'), [1, null]);
});

t.test('a killed harness leaves no process and no file', async (t) => {
  const folder = temporaryFolder(t);
  // Other users must traverse it.
  chmodSync(folder, 0o711);
  const args = [MAIN, '--seed', '1', '--minutes', '1', '--driver', 'fake'];
  const env = { ...plainEnvironment(), TMPDIR: folder };
  const child = spawn(...plainNode(args), { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(child, 'close');
  for await (const line of createInterface({ input: child.stderr })) {
    if (line.includes('warming up')) break;
  }
  // Until attackers are active, and some of them stopped.
  const busy = () => processesWith(folder).length >= 8;
  for (const end = Date.now() + 20_000; !busy() && Date.now() < end; )
    await new Promise((r) => setTimeout(r, 100));
  t.ok(busy(), `${processesWith(folder).length} processes are active`);
  t.ok(readdirSync(folder).length > 0, 'and their files exist');
  child.kill('SIGKILL');
  await ended;
  const left = () => [...processesWith(folder), ...readdirSync(folder)];
  for (const end = Date.now() + 20_000; left().length > 0 && Date.now() < end; ) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  t.strictSame(left(), [], 'no process, no file');
});
