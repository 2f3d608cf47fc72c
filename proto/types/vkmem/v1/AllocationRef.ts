// Original file: proto/vkmem/v1/memory.proto


/**
 * Names an allocation.
 */
export interface AllocationRef {
  'id'?: (string);
  /**
   * Looked up among the caller's own allocations; "KEY/NAME" names another tenant's, by Tenant.key. "UID/NAME" is short
   * for "uid:UID/NAME".
   */
  'name'?: (string);
  'ref'?: "id"|"name";
}

/**
 * Names an allocation.
 */
export interface AllocationRef__Output {
  'id'?: (string);
  /**
   * Looked up among the caller's own allocations; "KEY/NAME" names another tenant's, by Tenant.key. "UID/NAME" is short
   * for "uid:UID/NAME".
   */
  'name'?: (string);
  'ref'?: "id"|"name";
}
