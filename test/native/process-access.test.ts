/** A process that is not dumpable: what others of its user can read of it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { plainEnvironment, plainNode } from '../support/daemon.js';
import { noOtherUser, OTHER_UID } from '../support/uid.js';

const PROGRAM = fileURLToPath(new URL('dumpable-program.js', import.meta.url));
/** Root has access to every process by its capabilities. */
const who = noOtherUser ? {} : { uid: OTHER_UID, gid: OTHER_UID };

/** Starts a process. @returns what it reads of itself. */
async function start(dumpable: boolean): Promise<{ child: ChildProcess; own: unknown }> {
  const [command, args] = plainNode([PROGRAM, String(dumpable)]);
  const child = spawn(command, args, {
    ...who,
    env: plainEnvironment(),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = (await child.stdout.take(1).toArray()) as [Buffer];
  return { child, own: JSON.parse(String(line)) };
}

/** Tries to read files of a process, as another process of its user. @returns each one's errno. */
function reads(pid: number | undefined, files: readonly string[]): unknown {
  const script = `
    const { openSync, readdirSync } = require('node:fs');
    const tried = (file) => {
      try {
        return file === 'fd' ? void readdirSync('/proc/${pid}/fd') : void openSync('/proc/${pid}/' + file, 'r');
      } catch ({ code }) {
        return code;
      }
    };
    console.log(JSON.stringify(process.argv.slice(1).map((file) => tried(file) ?? 'read')));`;
  const [command, args] = plainNode(['-e', script, ...files]);
  return JSON.parse(spawnSync(command, args, { ...who, env: plainEnvironment(), encoding: 'utf8' }).stdout);
}

t.test('setDumpable', async (t) => {
  const files = ['environ', 'fd', 'maps', 'mem', 'status', 'cmdline', 'cgroup'];
  const read = Array(3).fill('read');
  for (const dumpable of [true, false]) {
    const { child, own } = await start(dumpable);
    t.strictSame(own, { fds: true, status: true, maps: true, reopened: true }, 'its own files');
    const results = reads(child.pid, files) as string[];
    const expected = dumpable ? read : Array(3).fill('EACCES');
    t.strictSame(
      results.slice(0, 3),
      expected,
      `environ, fd and maps of ${dumpable ? 'any' : 'that'} process`,
    );
    if (!dumpable) t.equal(results[3], 'EACCES', 'mem');
    t.strictSame(results.slice(4), read, 'status, cmdline and cgroup');
    child.stdin?.end();
    t.equal(await new Promise((resolve) => child.once('exit', resolve)), 0);
  }
});
