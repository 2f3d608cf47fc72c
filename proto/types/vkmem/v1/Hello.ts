// Original file: proto/vkmem/v1/handoff.proto


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
}
