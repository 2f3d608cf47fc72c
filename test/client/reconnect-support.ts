/**
 * Shared by the tests of reconnection: a client of a scripted daemon, and a check that neither holds anything
 * at the end.
 */
import { once } from 'node:events';
import type { Client, ConnectOptions, Memory } from '@vkmemd/client';
import type { Test } from 'tap';
import { openFds, sameFds } from '../native/open-fds.js';
import { type Deed, ScriptedDaemon } from '../support/scripted-daemon.js';
import { connected } from './support.js';

const NOTHING = { sessions: 0, allocations: 0, grants: 0 };

/** Runs a test with a client and its daemon, then checks that nothing remains. */
export async function staged(
  t: Test,
  work: (client: Client, daemon: ScriptedDaemon) => Promise<void>,
  options: ConnectOptions = {},
): Promise<void> {
  const before = openFds();
  const daemon = new ScriptedDaemon(t);
  const client = await connected(t, daemon.runtimeDir, options);
  await work(client, daemon);
  await client.close();
  await client.closed;
  // The end of a connection takes a while, and pages are unmapped one turn of the event loop after their
  // view.
  for (let left = 500; left > 0 && daemon.counts.sessions + daemon.mapped > 0; left -= 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  t.same(daemon.counts, NOTHING, 'the daemon holds nothing');
  t.equal(daemon.mapped, 0, 'nothing is mapped');
  daemon.crash();
  await sameFds(t, before);
}

/** Applies the deed to the next request of this kind; later requests are answered. */
export function doOnce(daemon: ScriptedDaemon, body: string, deed: Deed): void {
  daemon.deed = (request) => {
    if (request.body !== body) return 'answer';
    daemon.deed = () => 'answer';
    return deed;
  };
}

/** Waits until the client has noticed the crash, and starts the daemon again. */
export async function comeBack(client: Client, daemon: ScriptedDaemon): Promise<void> {
  await once(client, 'reconnecting');
  daemon.start();
  await once(client, 'reconnected');
}

/** Fills the memory. @returns its mapping, which stays mapped. */
export function write(memory: Memory, byte: number) {
  const map = memory.map();
  map.bytes.fill(byte);
  return map;
}
