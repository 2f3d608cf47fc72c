/**
 * connect(): begins a session, or takes up an inherited one.
 */
import { join, resolve } from 'node:path';
import { HANDOFF_SOCKET, openSeqpacket, runtimeDir } from '@vkmemd/proto';
import { Client } from './client.js';
import { HandoffConnection } from './connection/handoff.js';
import { greet } from './connection/hello.js';
import { inheritSession } from './connection/inherited.js';
import type { ControlOptions } from './control.js';
import { checkReconnect } from './request/arguments.js';

export interface ConnectOptions extends ControlOptions {
  /** The handoff socket itself, in place of the one in the runtime folder. */
  readonly handoffSocket?: string | undefined;
  /**
   * The fd of a session that this process inherited; taken. Default: $VKMEM_SESSION_FD, where neither
   * runtimeDir nor handoffSocket is given, and not in a worker thread. What goes by the control socket needs
   * that socket all the same.
   */
  readonly sessionFd?: number | undefined;
  /** For people and logs: what this client is. At most 128 bytes count. Default: the program's name. */
  readonly clientName?: string | undefined;
}

/** A restart, with its stop, its start and what it imports again, should be over by then. */
const DEFAULT_RECONNECT_MS = 60_000;

/**
 * Begins a session, or takes up the one that this process inherited (`vkmemctl exec`), which outlasts a
 * restart of the daemon only where $VKMEM_SESSION_PATH has the socket's path.
 * @throws VkmemError UNAVAILABLE where no daemon listens, or none answers within `timeoutMs`; NOT_PERMITTED
 *   where the socket's mode forbids it; VERSION_UNSUPPORTED; INVALID_ARGUMENT where what was inherited is no
 *   session.
 */
export async function connect(options: ConnectOptions = {}): Promise<Client> {
  const { timeoutMs, clientName = process.title, handoffSocket, runtimeDir: folder } = options;
  const wanted = checkReconnect(options.reconnectMs ?? DEFAULT_RECONNECT_MS);
  const inherited = inheritSession(options);
  const path = inherited
    ? inherited.path
    : resolve(handoffSocket ?? join(runtimeDir(folder), HANDOFF_SOCKET));
  const reconnectMs = path === undefined ? 0 : wanted;
  const handoff = new HandoffConnection(inherited?.socket ?? openSeqpacket(path ?? ''));
  const welcome = await greet(handoff, { clientName, resume: inherited !== undefined, timeoutMs });
  const linkOptions = { path, clientName, reconnectMs, inherited: inherited !== undefined };
  return new Client({ handoff, welcome }, linkOptions, { ...options, reconnectMs }, inherited?.allocations);
}
