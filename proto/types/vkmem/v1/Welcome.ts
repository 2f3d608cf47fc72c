// Original file: proto/vkmem/v1/handoff.proto

import type { Long } from '@grpc/proto-loader';

/**
 * The answer to Hello. The session lasts until the socket hangs up.
 */
export interface Welcome {
  'protocolVersion'?: (number);
  /**
   * Different after every start of the daemon.
   */
  'incarnation'?: (string);
  /**
   * A secret. In the metadata "vkmem-session" of a gRPC call of the same user, the call acts for this
   * session.
   */
  'sessionToken'?: (string);
  'sessionId'?: (number | string | Long);
  'daemonVersion'?: (string);
  'maxMessageBytes'?: (number);
  /**
   * Whether it is the session of Hello's token, with its old id. Otherwise it is a new session, and the old
   * one has ended.
   */
  'restored'?: (boolean);
}

/**
 * The answer to Hello. The session lasts until the socket hangs up.
 */
export interface Welcome__Output {
  'protocolVersion': (number);
  /**
   * Different after every start of the daemon.
   */
  'incarnation': (string);
  /**
   * A secret. In the metadata "vkmem-session" of a gRPC call of the same user, the call acts for this
   * session.
   */
  'sessionToken': (string);
  'sessionId': (Long);
  'daemonVersion': (string);
  'maxMessageBytes': (number);
  /**
   * Whether it is the session of Hello's token, with its old id. Otherwise it is a new session, and the old
   * one has ended.
   */
  'restored': (boolean);
}
