/**
 * connect(): opens a session, or continues an inherited one.
 */
import type { OwnedFd } from '@vkmemd/proto';
import { Client } from './client.js';
import { type ExpectedUid, openDaemon, requirePeer } from './connection/daemon-peer.js';
import { findDaemon, type PlaceOfSocket } from './connection/discovery.js';
import { HandoffConnection } from './connection/handoff.js';
import { greet, prepareHello } from './connection/hello.js';
import { inheritSession } from './connection/inherited.js';
import type { ControlOptions } from './control.js';
import { checkReconnect } from './request/arguments.js';

/** Options of connect(). */
export interface ConnectOptions extends ControlOptions, PlaceOfSocket {
  /**
   * The fd of a session that this process inherited; taken. Default: $VKMEM_SESSION_FD, if neither runtimeDir
   * nor handoffSocket is given, and not in a worker thread. Requests on the control socket still require
   * access to that socket.
   */
  readonly sessionFd?: number | undefined;
  /**
   * The name of this client, for people and logs. Only the first 128 bytes are used. Default: process.title.
   */
  readonly clientName?: string | undefined;
}

/** Long enough for a restart of the daemon: its stop, its start, and the import of persisted memory. */
const DEFAULT_RECONNECT_MS = 60_000;

/**
 * Opens a session with the daemon, or continues the session that this process inherited (`vkmemctl exec`). An
 * inherited session outlives a restart of the daemon only if $VKMEM_SESSION_PATH has the path of the socket.
 * @throws VkmemError UNAVAILABLE if no daemon is found or listens, or it does not answer within `timeoutMs`;
 *   NOT_PERMITTED if the mode of the socket, the policy or `expectUid` forbids it; TOO_MANY_SESSIONS, TOO_MANY_FILES;
 *   VERSION_UNSUPPORTED; INVALID_ARGUMENT for an invalid option, or if the inherited fd is not a session.
 */
export async function connect(options: ConnectOptions = {}): Promise<Client> {
  const { timeoutMs, clientName = process.title } = options;
  const wanted = checkReconnect(options.reconnectMs ?? DEFAULT_RECONNECT_MS);
  const inherited = inheritSession(options);
  const path = inherited ? inherited.path : findDaemon(options).handoff;
  const reconnectMs = path === undefined ? 0 : wanted;
  prepareHello();
  const { expectUid } = options;
  if (inherited && expectUid !== undefined) requireInherited(inherited.socket, expectUid);
  const socket = inherited?.socket ?? (await openDaemon(path ?? '', expectUid, timeoutMs));
  const handoff = new HandoffConnection(socket, path);
  const welcome = await greet(handoff, { clientName, resume: inherited !== undefined, timeoutMs });
  const linkOptions = { path, expectUid, clientName, reconnectMs, inherited: inherited !== undefined };
  const place = { ...options, handoffSocket: path ?? options.handoffSocket, reconnectMs };
  return new Client({ handoff, welcome }, linkOptions, place, inherited?.allocations);
}

function requireInherited(socket: OwnedFd, expectUid: ExpectedUid): void {
  try {
    requirePeer(socket, 'the inherited session', expectUid);
  } catch (failure) {
    socket.close();
    throw failure;
  }
}
