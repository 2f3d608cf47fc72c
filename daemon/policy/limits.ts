/**
 * Limits that apply to all peers equally, so that one client cannot exhaust resources that the others need.
 */

export interface Limits {
  /** Handoff sessions of all clients together. */
  readonly sessions: number;
  /** Requests of one session that are processed at a time; further ones wait in its socket. */
  readonly messagesInFlight: number;
  /** File descriptors that were sent to one session and that it has not received yet. */
  readonly fdsInFlight: number;
  /** Bytes and messages queued for one session. */
  readonly queuedBytes: number;
  readonly queuedMessages: number;
  /** Requests a second of one session: the average rate, and the burst. */
  readonly requestsPerSecond: number;
  readonly requestBurst: number;
  /** Maximum time from accept() to Hello, in milliseconds. */
  readonly handshakeMs: number;
  /** gRPC connections of one user. */
  readonly controlConnectionsOfUser: number;
  /** File descriptors that are never leased, for the driver and for sending refusals. */
  readonly reservedFds: number;
  /** Maximum number of file descriptors in the service manager's fd store. */
  readonly storedFds: number;
  /** Maximum resident memory of the front, in bytes; beyond it, it is started again. */
  readonly frontMemory: number;
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
  frontMemory: 256 << 20,
};
