/**
 * A core that is confined as the daemon's, whose first front is a program of the test; later ones are real.
 * What the program prints is on standard output, beside `ready`, `lost` and `pid PID`. Ends with standard
 * input.
 *
 * Arguments: the runtime folder, the policy, whether the launcher starts the program (`launched`, `plain`),
 * the program and its arguments.
 */
import { spawn } from 'node:child_process';
import { launcherPath, type OwnedFd, setDumpable } from '@vkmemd/proto';
import { startDaemon } from 'vkmemd';
import { spawnFront } from 'vkmemd/dist/callers/front-process.js';
import type { FrontInstance } from 'vkmemd/dist/link/front-instance.js';

const [runtimeDir = '', config = '', how = 'launched', ...command] = process.argv.slice(2);
let starts = 0;

function startProgram(link: OwnedFd): FrontInstance {
  const [file = '', ...args] = how === 'launched' ? [launcherPath(), ...command] : command;
  const child = spawn(file, args, { stdio: ['ignore', 'inherit', 'inherit', link.fd], env: {} });
  link.close();
  const { pid } = child;
  const exited = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? `exit status ${code}`));
  });
  const kill = () => void child.kill('SIGKILL');
  return { pid, exited, kill, residentBytes: () => 0, scheduled: () => undefined };
}

setDumpable(false);
const daemon = await startDaemon({
  runtimeDir,
  policy: { config },
  front: (link, maxBytes) => {
    starts += 1;
    if (starts === 2) process.stdout.write('lost\n');
    return starts === 1 ? startProgram(link) : spawnFront(link, maxBytes);
  },
});
process.stdout.write(`pid ${process.pid}\nready\n`);
process.stdin.resume().once('end', () => {
  void daemon[Symbol.asyncDispose]().then(() => process.exit(0));
});
