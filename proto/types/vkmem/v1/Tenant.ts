// Original file: proto/vkmem/v1/memory.proto


/**
 * The owner of memory, to which it is charged. Today every tenant is a user, and the uid fields name the same user.
 */
export interface Tenant {
  /**
   * Unique and stable over restarts: "uid:N" for a user.
   */
  'key'?: (string);
  /**
   * Set for a tenant that is a user.
   */
  'uid'?: (number);
  /**
   * Display name, for people.
   */
  'name'?: (string);
  '_uid'?: "uid";
}

/**
 * The owner of memory, to which it is charged. Today every tenant is a user, and the uid fields name the same user.
 */
export interface Tenant__Output {
  /**
   * Unique and stable over restarts: "uid:N" for a user.
   */
  'key': (string);
  /**
   * Set for a tenant that is a user.
   */
  'uid'?: (number);
  /**
   * Display name, for people.
   */
  'name': (string);
  '_uid'?: "uid";
}
