// Original file: proto/vkmem/v1/handoff.proto

import type { Long } from '@grpc/proto-loader';

/**
 * The first message of a client.
 */
export interface Hello {
  /**
   * The protocol version that the client was built for. This is version 1.
   */
  'protocolVersion'?: (number);
  /**
   * The client's name, for people and logs. At most 128 bytes.
   */
  'clientName'?: (string);
  /**
   * The connection was inherited together with its session. The answer names that session, and sequences
   * start again.
   */
  'resume'?: (boolean);
  /**
   * The token of a session that the same process had before the daemon restarted: if the daemon has persisted
   * that session, with its allocations and grants, this connection continues it.
   */
  'sessionToken'?: (string);
  /**
   * With session_token: the grants that the client holds. The daemon drops all others: their answers did not
   * reach the client.
   */
  'grantIds'?: (number | string | Long)[];
  /**
   * With session_token, instead of grant_ids where these do not fit the message: no grant is dropped.
   */
  'keepAllGrants'?: (boolean);
  /**
   * The last Welcome's challenge, and nothing else in this message, which carries SCM_CREDENTIALS: the process that
   * opened the connection identifies itself.
   */
  'proof'?: (Buffer | Uint8Array | string);
}

/**
 * The first message of a client.
 */
export interface Hello__Output {
  /**
   * The protocol version that the client was built for. This is version 1.
   */
  'protocolVersion': (number);
  /**
   * The client's name, for people and logs. At most 128 bytes.
   */
  'clientName': (string);
  /**
   * The connection was inherited together with its session. The answer names that session, and sequences
   * start again.
   */
  'resume': (boolean);
  /**
   * The token of a session that the same process had before the daemon restarted: if the daemon has persisted
   * that session, with its allocations and grants, this connection continues it.
   */
  'sessionToken': (string);
  /**
   * With session_token: the grants that the client holds. The daemon drops all others: their answers did not
   * reach the client.
   */
  'grantIds': (Long)[];
  /**
   * With session_token, instead of grant_ids where these do not fit the message: no grant is dropped.
   */
  'keepAllGrants': (boolean);
  /**
   * The last Welcome's challenge, and nothing else in this message, which carries SCM_CREDENTIALS: the process that
   * opened the connection identifies itself.
   */
  'proof': (Buffer);
}
