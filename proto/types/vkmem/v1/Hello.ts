// Original file: proto/vkmem/v1/handoff.proto

import type { Long } from '@grpc/proto-loader';

/**
 * The first message of a client.
 */
export interface Hello {
  /**
   * The protocol version the client was built for; this is version 1.
   */
  'protocolVersion'?: (number);
  /**
   * For people and logs: what the client is. At most 128 bytes.
   */
  'clientName'?: (string);
  /**
   * The connection was inherited with the session on it: the answer names that session, and sequences begin anew.
   */
  'resume'?: (boolean);
  /**
   * The token of a session that the same process had before the daemon restarted: where the daemon still has that session,
   * with what it owns and was granted, this connection goes on with it.
   */
  'sessionToken'?: (string);
  /**
   * With session_token: the grants that the client has. Others, whose answers never reached it, are taken back.
   */
  'grantIds'?: (number | string | Long)[];
  /**
   * With session_token, in place of grant_ids, where these do not fit the message: no grant is taken back.
   */
  'keepAllGrants'?: (boolean);
}

/**
 * The first message of a client.
 */
export interface Hello__Output {
  /**
   * The protocol version the client was built for; this is version 1.
   */
  'protocolVersion': (number);
  /**
   * For people and logs: what the client is. At most 128 bytes.
   */
  'clientName': (string);
  /**
   * The connection was inherited with the session on it: the answer names that session, and sequences begin anew.
   */
  'resume': (boolean);
  /**
   * The token of a session that the same process had before the daemon restarted: where the daemon still has that session,
   * with what it owns and was granted, this connection goes on with it.
   */
  'sessionToken': (string);
  /**
   * With session_token: the grants that the client has. Others, whose answers never reached it, are taken back.
   */
  'grantIds': (Long)[];
  /**
   * With session_token, in place of grant_ids, where these do not fit the message: no grant is taken back.
   */
  'keepAllGrants': (boolean);
}
