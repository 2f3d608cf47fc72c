// Original file: proto/vkmem/v1/handoff.proto

import type { Long } from '@grpc/proto-loader';

/**
 * The answer to Hello. The session lasts until the connection is closed.
 */
export interface Welcome {
  'protocolVersion'?: (number);
  /**
   * Different after every start of the daemon.
   */
  'incarnation'?: (string);
  /**
   * A secret. A gRPC call of the same user that has it in the metadata "vkmem-session" acts for this session.
   */
  'sessionToken'?: (string);
  'sessionId'?: (number | string | Long);
  'daemonVersion'?: (string);
  'maxMessageBytes'?: (number);
  /**
   * Whether this is the session of Hello's token, with its old id. Otherwise it is a new session, and the old
   * one has ended.
   */
  'restored'?: (boolean);
  /**
   * 16 bytes where the kernel has no SO_PEERPIDFD, until the process that opened the connection has returned them as
   * Hello's proof. If session_id is 0, the session begins with that.
   */
  'challenge'?: (Buffer | Uint8Array | string);
}

/**
 * The answer to Hello. The session lasts until the connection is closed.
 */
export interface Welcome__Output {
  'protocolVersion': (number);
  /**
   * Different after every start of the daemon.
   */
  'incarnation': (string);
  /**
   * A secret. A gRPC call of the same user that has it in the metadata "vkmem-session" acts for this session.
   */
  'sessionToken': (string);
  'sessionId': (Long);
  'daemonVersion': (string);
  'maxMessageBytes': (number);
  /**
   * Whether this is the session of Hello's token, with its old id. Otherwise it is a new session, and the old
   * one has ended.
   */
  'restored': (boolean);
  /**
   * 16 bytes where the kernel has no SO_PEERPIDFD, until the process that opened the connection has returned them as
   * Hello's proof. If session_id is 0, the session begins with that.
   */
  'challenge': (Buffer);
}
