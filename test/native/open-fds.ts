/**
 * Which fds this process has open, to prove that a test leaves none behind.
 */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';

/** fd number -> what it leads to. The descriptor of the listing itself is left out. */
export function openFds(): Map<string, string> {
  const fds = new Map<string, string>();
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      fds.set(fd, readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      // That was the descriptor of the listing.
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
 * To be called last: everything that was opened since `before` is closed again, give or take a turn of the
 * loop.
 */
export async function sameFds(t: Test, before: Map<string, string>): Promise<void> {
  for (let i = 0; i < 100 && openFds().size !== before.size; i++) await sleep(10);
  const left = [...openFds()].filter(([fd, target]) => before.get(fd) !== target).map(([, target]) => target);
  t.equal(openFds().size, before.size, `no fd is left behind (new ones: ${left.join(', ') || 'none'})`);
}

/** Resolves when `done` holds; looks after every turn of the loop. */
export async function until(done: () => boolean, milliseconds = 5000): Promise<void> {
  const deadline = Date.now() + milliseconds;
  while (!done()) {
    if (Date.now() > deadline) throw new Error(`still not so after ${milliseconds} ms: ${done}`);
    await sleep(1);
  }
}
