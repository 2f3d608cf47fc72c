/** The open fds of this process, to check that a test leaves none open. */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';

/** fd number -> its target. The descriptor of the listing itself is left out. */
export function openFds(): Map<string, string> {
  const fds = new Map<string, string>();
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      fds.set(fd, readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      // The descriptor of the listing.
    }
  }
  return fds;
}

/** True if an exec() would close it. */
export function isCloexec(fd: number): boolean {
  const flags = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'));
  return (Number.parseInt(flags?.[1] ?? '0', 8) & 0o2000000) !== 0;
}

/**
 * To be called last: everything that was opened since `before` must be closed, after at most some turns of
 * the loop.
 */
export async function sameFds(t: Test, before: Map<string, string>): Promise<void> {
  for (let i = 0; i < 100 && openFds().size !== before.size; i++) await sleep(10);
  const left = [...openFds()].filter(([fd, target]) => before.get(fd) !== target).map(([, target]) => target);
  t.equal(openFds().size, before.size, `no fd is left open (new ones: ${left.join(', ') || 'none'})`);
}

/** Resolves when `done` holds; checks after every turn of the loop. */
export async function until(done: () => boolean, milliseconds = 5000): Promise<void> {
  const deadline = Date.now() + milliseconds;
  while (!done()) {
    if (Date.now() > deadline) throw new Error(`timed out after ${milliseconds} ms: ${done}`);
    await sleep(1);
  }
}
