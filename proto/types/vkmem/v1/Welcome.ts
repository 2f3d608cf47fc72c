// Original file: proto/vkmem/v1/handoff.proto

import type { Long } from '@grpc/proto-loader';

/**
 * The answer to Hello. The session lasts until the socket hangs up.
 */
export interface Welcome {
  'protocolVersion'?: (number);
  /**
   * Another value after every start of the daemon.
   */
  'incarnation'?: (string);
  /**
   * A secret. In the metadata "vkmem-session" of a gRPC call of the same user, the call acts for this session.
   */
  'sessionToken'?: (string);
  'sessionId'?: (number | string | Long);
  'daemonVersion'?: (string);
  'maxMessageBytes'?: (number);
  /**
   * Whether it is the session of Hello's token, under its old id. Otherwise it is a new one, and the old one is gone.
   */
  'restored'?: (boolean);
}

/**
 * The answer to Hello. The session lasts until the socket hangs up.
 */
export interface Welcome__Output {
  'protocolVersion': (number);
  /**
   * Another value after every start of the daemon.
   */
  'incarnation': (string);
  /**
   * A secret. In the metadata "vkmem-session" of a gRPC call of the same user, the call acts for this session.
   */
  'sessionToken': (string);
  'sessionId': (Long);
  'daemonVersion': (string);
  'maxMessageBytes': (number);
  /**
   * Whether it is the session of Hello's token, under its old id. Otherwise it is a new one, and the old one is gone.
   */
  'restored': (boolean);
}
