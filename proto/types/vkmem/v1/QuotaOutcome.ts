// Original file: proto/vkmem/v1/control.proto

/**
 * The outcome of a change of a quota.
 */
export const QuotaOutcome = {
  QUOTA_OUTCOME_UNSPECIFIED: 'QUOTA_OUTCOME_UNSPECIFIED',
  /**
   * The change is in force. `overage` is the use above a new limit.
   */
  QUOTA_OUTCOME_APPLIED: 'QUOTA_OUTCOME_APPLIED',
  /**
   * The quota has changed since expected_revision, and nothing was applied. Get the quota and retry.
   */
  QUOTA_OUTCOME_STALE: 'QUOTA_OUTCOME_STALE',
  /**
   * The limits contradict each other or the reservations of other users, and nothing was applied.
   */
  QUOTA_OUTCOME_CONFLICT: 'QUOTA_OUTCOME_CONFLICT',
} as const;

/**
 * The outcome of a change of a quota.
 */
export type QuotaOutcome =
  | 'QUOTA_OUTCOME_UNSPECIFIED'
  | 0
  /**
   * The change is in force. `overage` is the use above a new limit.
   */
  | 'QUOTA_OUTCOME_APPLIED'
  | 1
  /**
   * The quota has changed since expected_revision, and nothing was applied. Get the quota and retry.
   */
  | 'QUOTA_OUTCOME_STALE'
  | 2
  /**
   * The limits contradict each other or the reservations of other users, and nothing was applied.
   */
  | 'QUOTA_OUTCOME_CONFLICT'
  | 3

/**
 * The outcome of a change of a quota.
 */
export type QuotaOutcome__Output = typeof QuotaOutcome[keyof typeof QuotaOutcome]
