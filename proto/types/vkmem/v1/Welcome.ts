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
}
