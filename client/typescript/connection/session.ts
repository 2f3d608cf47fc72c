/**
 * What a client knows of its session, and what it is told when the connection is lost.
 */
import type { Decoded, VkmemError } from '@vkmemd/proto';

/** What the daemon said of the session. After a reconnection, what it said then. */
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

/** The connection is there again. */
export interface Reconnected {
  /**
   * Whether the session goes on, with what it owns and was granted. Otherwise this is a new one: Memory of before keeps
   * its maps and fds, and means nothing to the daemon any more.
   */
  readonly restored: boolean;
  readonly incarnation: string;
  /** Milliseconds without a connection. */
  readonly downMs: number;
}

/** The events of a Client. */
export interface ClientEvents {
  /** The connection ended, for this reason; it is being made again. */
  reconnecting: [reason: VkmemError];
  reconnected: [how: Reconnected];
  /** It is over for good, for this reason, and not by close(). */
  disconnected: [reason: VkmemError];
}

/** What happened to the connection, as a Client emits it. */
export type ClientEvent = {
  [E in keyof ClientEvents]: readonly [name: E, ...told: ClientEvents[E]];
}[keyof ClientEvents];

export function sessionInfo(welcome: Decoded<'Welcome'>, inherited: boolean): SessionInfo {
  const { sessionId, sessionToken, incarnation, daemonVersion } = welcome;
  return { id: sessionId, token: sessionToken, incarnation, daemonVersion, inherited };
}
