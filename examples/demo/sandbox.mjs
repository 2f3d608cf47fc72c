/**
 * A worker in a bubblewrap sandbox: every namespace its own, so no network and no other process; a read-only
 * system, this checkout and Node.js; only the devices of `--dev` (null, zero, random and the like: no GPU
 * node); an empty environment. Of the host it can reach only the sockets that it is given, in RUNTIME_FOLDER.
 *
 * A worker prints one line of JSON when it is done, and keeps its resources until its standard input ends.
 */
import { spawn } from 'node:child_process';
import { lstatSync, readlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The folder of a worker's sockets. */
const RUNTIME_FOLDER = '/run/vkmemd';

const here = dirname(fileURLToPath(import.meta.url));
const checkout = dirname(dirname(here));

/** /bin and /lib as on the host: links into /usr, or folders. */
function systemFolder(path) {
  const entry = lstatSync(path, { throwIfNoEntry: false });
  if (!entry) return [];
  return entry.isSymbolicLink() ? ['--symlink', readlinkSync(path), path] : ['--ro-bind', path, path];
}

/** The arguments of bwrap, up to the program. @param sockets paths on the host. */
export function sandboxArguments(sockets) {
  return [
    ...['--unshare-all', '--die-with-parent', '--new-session', '--clearenv', '--cap-drop', 'ALL'],
    ...['--ro-bind', '/usr', '/usr'],
    ...['/bin', '/sbin', '/lib', '/lib64'].flatMap(systemFolder),
    ...['--ro-bind-try', '/etc/ld.so.cache', '/etc/ld.so.cache'],
    ...['--dev', '/dev', '--tmpfs', '/tmp'],
    ...['--ro-bind', checkout, checkout, '--ro-bind', process.execPath, process.execPath],
    ...sockets.flatMap((socket) => ['--ro-bind', socket, join(RUNTIME_FOLDER, basename(socket))]),
    ...['--setenv', 'VKMEMD_RUNTIME_DIR', RUNTIME_FOLDER, '--chdir', checkout],
  ];
}

/**
 * Starts a worker program of this folder.
 * @returns the child, the line that it prints when it is done (rejected if it ends without one), and
 *   finish(), which ends it.
 */
export function startWorker(program, operands, sockets) {
  const command = [...sandboxArguments(sockets), '--', process.execPath, join(here, program), ...operands];
  const child = spawn('bwrap', command, { stdio: ['pipe', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors += text;
  });
  // The exit of a worker is reported by its exit event.
  child.stdin.on('error', () => {});
  const exited = new Promise((resolve) => {
    child.once('error', (error) => resolve({ error }));
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  const said = new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', (line) => resolve(JSON.parse(line)));
    exited.then(({ error, code, signal }) => {
      const why = error?.code === 'ENOENT' ? 'bubblewrap (bwrap) is not installed' : error?.message;
      const said = errors.trim();
      const hint = /uid map|namespace|Operation not permitted/.test(said)
        ? ' (bubblewrap needs user namespaces: on Ubuntu 24.04 an AppArmor profile for bwrap, or run as root)'
        : '';
      reject(new Error(`${program} ended without a result: ${why ?? (said || code || signal)}${hint}`));
    });
  });
  const finish = async () => {
    child.stdin.end();
    const { code } = await exited;
    if (code !== 0) throw new Error(`${program} ended with ${code}: ${errors.trim()}`);
  };
  return { child, said, finish, exited };
}
