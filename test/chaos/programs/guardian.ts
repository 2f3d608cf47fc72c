/**
 * Ends what the harness leaves, however the harness ends: reads its resources (`+PID` a process, `-PID` no
 * longer, `folder PATH`, `group PATH` a control group) until its standard input ends, then kills the processes and removes the folders.
 * Processes that were not reported, because their parent was killed at that moment, have the mark in their
 * environment: the only argument.
 */
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';

const QUIET_LOOKS = 3;
const LOOK_MS = 50;
/** A process that the kernel cannot end must not prevent the end. */
const MAX_LOOKS = 200;

const processes = new Set<number>();
const folders = new Set<string>();
const groups = new Set<string>();

// Signals that end the harness must not end this process first.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
for await (const line of createInterface({ input: process.stdin })) {
  if (line.startsWith('+')) processes.add(Number(line.slice(1)));
  else if (line.startsWith('-')) processes.delete(Number(line.slice(1)));
  else if (line.startsWith('group ')) groups.add(line.replace('group ', ''));
  else folders.add(line.replace('folder ', ''));
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code !== 'ESRCH') console.error(failure);
  }
}

/** Every process with the mark in its environment. */
function marked(): number[] {
  const mark = `${process.argv[2]}\0`;
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      if (!(pid > 0)) return false;
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(mark);
      } catch {
        return false; // another user's, or ended
      }
    });
}

for (const pid of processes) kill(pid);
// A process that is being started may appear only in the second pass.
for (let looks = 0, quiet = 0; quiet < QUIET_LOOKS && looks < MAX_LOOKS; looks += 1) {
  const left = marked();
  for (const pid of left) kill(pid);
  quiet = left.length === 0 ? quiet + 1 : 0;
  await setTimeout(LOOK_MS);
}
for (const group of groups) if (existsSync(group)) rmdirSync(group);
for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
