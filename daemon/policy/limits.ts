/**
 * Limits: what holds for everybody, whoever they are. All of them keep one client from taking what the others need.
 */
export interface Limits {
  /** Handoff sessions in all. */
  readonly sessions: number;
  /** Requests of one session that may be under way; more wait in its socket. */
  readonly messagesInFlight: number;
  /** File descriptors on their way to one session that it has not received yet. */
  readonly fdsInFlight: number;
  /** Bytes and messages that wait for one session to read. */
  readonly queuedBytes: number;
  readonly queuedMessages: number;
  /** Requests a second of one session, on average, and how many may come at once. */
  readonly requestsPerSecond: number;
  readonly requestBurst: number;
  /** From accept() to Hello, in milliseconds. */
  readonly handshakeMs: number;
  /** gRPC connections of one user. */
  readonly controlConnectionsOfUser: number;
  /** File descriptors that are kept out of every promise, for the driver and for refusing politely. */
  readonly reservedFds: number;
  /** File descriptors that the daemon has its service manager keep, at most. */
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
