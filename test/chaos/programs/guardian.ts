/**
 * Ends what the harness leaves, however the harness ends: reads what there is (`+PID` a process, `-PID` no longer,
 * `folder PATH`) until its standard input ends, then kills the processes and removes the folders.
 */
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';

const processes = new Set<number>();
const folders = new Set<string>();

// What ends the harness shall not end this first.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
for await (const line of createInterface({ input: process.stdin })) {
  if (line.startsWith('+')) processes.add(Number(line.slice(1)));
  else if (line.startsWith('-')) processes.delete(Number(line.slice(1)));
  else folders.add(line.replace('folder ', ''));
}
for (const pid of processes) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code !== 'ESRCH') console.error(failure);
  }
}
for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
