/**
 * Limits that hold for all peers alike, so that one client cannot use up what the others need.
 */

export interface Limits {
  /** Handoff sessions of all clients. */
  readonly sessions: number;
  /** Requests of one session under way; more stay in its socket. */
  readonly messagesInFlight: number;
  /** File descriptors sent to one session that it has not received yet. */
  readonly fdsInFlight: number;
  /** Bytes and messages queued for one session. */
  readonly queuedBytes: number;
  readonly queuedMessages: number;
  /** Requests a second of one session: the average rate, and the burst. */
  readonly requestsPerSecond: number;
  readonly requestBurst: number;
  /** From accept() to Hello, in milliseconds. */
  readonly handshakeMs: number;
  /** gRPC connections of one user. */
  readonly controlConnectionsOfUser: number;
  /** File descriptors that are never leased: for the driver, and for answers that refuse a request. */
  readonly reservedFds: number;
  /** Maximum of file descriptors in the service manager's fd store. */
  readonly storedFds: number;
}

export const DEFAULT_LIMITS: Limits = {
  sessions: 10_000,
  messagesInFlight: 32,
  fdsInFlight: 16,
  queuedBytes: 4 << 20,
  queuedMessages: 256,
  requestsPerSecond: 10_000,
  requestBurst: 2000,
  handshakeMs: 5000,
  controlConnectionsOfUser: 64,
  reservedFds: 32,
  storedFds: 16_384,
};
