// Original file: proto/vkmem/v1/control.proto

/**
 * The outcome of a change of a quota.
 */
export const QuotaOutcome = {
  QUOTA_OUTCOME_UNSPECIFIED: 'QUOTA_OUTCOME_UNSPECIFIED',
  /**
   * It is in force. Where more is used, `overage` says how much.
   */
  QUOTA_OUTCOME_APPLIED: 'QUOTA_OUTCOME_APPLIED',
  /**
   * The quota has changed since that revision: nothing was changed. Get the quota and retry.
   */
  QUOTA_OUTCOME_STALE: 'QUOTA_OUTCOME_STALE',
  /**
   * It contradicts itself or others' reservations: nothing was changed.
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
   * It is in force. Where more is used, `overage` says how much.
   */
  | 'QUOTA_OUTCOME_APPLIED'
  | 1
  /**
   * The quota has changed since that revision: nothing was changed. Get the quota and retry.
   */
  | 'QUOTA_OUTCOME_STALE'
  | 2
  /**
   * It contradicts itself or others' reservations: nothing was changed.
   */
  | 'QUOTA_OUTCOME_CONFLICT'
  | 3

/**
 * The outcome of a change of a quota.
 */
export type QuotaOutcome__Output = typeof QuotaOutcome[keyof typeof QuotaOutcome]
