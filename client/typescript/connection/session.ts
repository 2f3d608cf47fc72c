/**
 * What a client knows of its session, and the events of its connection.
 */
import type { Decoded, VkmemError } from '@vkmemd/proto';

/** The session as the daemon described it when the connection was last made. */
export interface SessionInfo {
  readonly id: bigint;
  /** A secret: in a gRPC call of the same user, the call acts for this session. */
  readonly token: string;
  /** Another value after every start of the daemon. */
  readonly incarnation: string;
  readonly daemonVersion: string;
  /** Whether it was begun by another process, or by another program in this one. */
  readonly inherited: boolean;
}

/** The connection was made again. */
export interface Reconnected {
  /**
   * Whether the session continues, with what it owns and was granted. Otherwise this is a new one: Memory of
   * before keeps its maps and fds, and means nothing to the daemon any more.
   */
  readonly restored: boolean;
  readonly incarnation: string;
  /** Milliseconds without a connection. */
  readonly downMs: number;
}

/** The events of a Client. */
export interface ClientEvents {
  /** The connection ended, for this reason; the client reconnects. */
  reconnecting: [reason: VkmemError];
  reconnected: [how: Reconnected];
  /** The client gave up, for this reason. Not emitted by close(). */
  disconnected: [reason: VkmemError];
}

/** An event of the connection, as a Client emits it. */
export type ClientEvent = {
  [E in keyof ClientEvents]: readonly [name: E, ...args: ClientEvents[E]];
}[keyof ClientEvents];

export function sessionInfo(welcome: Decoded<'Welcome'>, inherited: boolean): SessionInfo {
  const { sessionId, sessionToken, incarnation, daemonVersion } = welcome;
  return { id: sessionId, token: sessionToken, incarnation, daemonVersion, inherited };
}
