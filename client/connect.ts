/**
 * connect(): how a session begins, or goes on in another program.
 */
import { join } from 'node:path';
import { HANDOFF_SOCKET, openSeqpacket, runtimeDir } from '@vkmemd/proto';
import { Client } from './client.js';
import { HandoffConnection } from './connection/handoff.js';
import type { ControlOptions } from './control.js';
import { greet } from './greeting.js';
import { takeInherited } from './inherited.js';

export interface ConnectOptions extends ControlOptions {
  /** The handoff socket itself, in place of the one in the runtime folder. */
  readonly handoffSocket?: string | undefined;
  /**
   * The fd of a session that this process was left with; taken. Default: $VKMEM_SESSION_FD, where neither runtimeDir nor
   * handoffSocket is given, and not in a worker thread. What goes by the control socket needs that socket all the same.
   */
  readonly sessionFd?: number | undefined;
  /** For people and logs: what this client is. At most 128 bytes count. Default: the program's name. */
  readonly clientName?: string | undefined;
}

/**
 * Begins a session, or goes on with the one that this process was left with (`vkmemctl exec`).
 * @throws VkmemError UNAVAILABLE where no daemon listens, or none answers within `timeoutMs`; NOT_PERMITTED where the
 *   socket's mode forbids it; VERSION_UNSUPPORTED; INVALID_ARGUMENT where what was inherited is no session.
 */
export async function connect(options: ConnectOptions = {}): Promise<Client> {
  const { timeoutMs, clientName = process.title, handoffSocket, runtimeDir: folder } = options;
  const inherited = takeInherited(options);
  const socket =
    inherited?.socket ?? openSeqpacket(handoffSocket ?? join(runtimeDir(folder), HANDOFF_SOCKET));
  const handoff = new HandoffConnection(socket);
  const resume = inherited !== undefined;
  const welcome = await greet(handoff, { clientName, resume, timeoutMs });
  return new Client(handoff, welcome, options, inherited?.allocations);
}
