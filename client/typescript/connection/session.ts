/**
 * The description of a client's session, and the events of its connection.
 */
import type { Decoded, VkmemError } from '@vkmemd/proto';

/** The session, as the daemon described it at the last connection. */
export interface SessionInfo {
  /** The id of the session. */
  readonly id: bigint;
  /** A secret: a gRPC call of the same user that carries it acts for this session. */
  readonly token: string;
  /** Identifies the run of the daemon: different after every start. */
  readonly incarnation: string;
  /** The version of vkmemd. */
  readonly daemonVersion: string;
  /** Whether another program opened the session, in this process or in another one. */
  readonly inherited: boolean;
}

/** The result of a reconnection. */
export interface Reconnected {
  /**
   * Whether the session continues, with its allocations and grants. Otherwise the session is a new one: a
   * Memory of the old session keeps its maps and fds, but the daemon no longer has it.
   */
  readonly restored: boolean;
  /** Identifies the run of the daemon: different after every start. */
  readonly incarnation: string;
  /** Milliseconds without a connection. */
  readonly downMs: number;
}

/** The events of a Client. */
export interface ClientEvents {
  /** The connection was lost, for this reason; the client is reconnecting. */
  reconnecting: [reason: VkmemError];
  /** The client has reconnected. */
  reconnected: [how: Reconnected];
  /** The client has given up reconnecting, for this reason. close() does not emit it. */
  disconnected: [reason: VkmemError];
}

/** An event of the connection, with its arguments. */
export type ClientEvent = {
  [E in keyof ClientEvents]: readonly [name: E, ...args: ClientEvents[E]];
}[keyof ClientEvents];

export function sessionInfo(welcome: Decoded<'Welcome'>, inherited: boolean): SessionInfo {
  const { sessionId, sessionToken, incarnation, daemonVersion } = welcome;
  return { id: sessionId, token: sessionToken, incarnation, daemonVersion, inherited };
}
