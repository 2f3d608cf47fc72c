// Original file: proto/vkmem/v1/control.proto

/**
 * What a change of a quota came to.
 */
export const QuotaOutcome = {
  QUOTA_OUTCOME_UNSPECIFIED: 'QUOTA_OUTCOME_UNSPECIFIED',
  /**
   * It holds from now on. Where more is used than that, `overage` says how much.
   */
  QUOTA_OUTCOME_APPLIED: 'QUOTA_OUTCOME_APPLIED',
  /**
   * The quota has changed since: nothing was done. Look at it and ask again.
   */
  QUOTA_OUTCOME_STALE: 'QUOTA_OUTCOME_STALE',
  /**
   * It contradicts itself or what is guaranteed to others: nothing was done.
   */
  QUOTA_OUTCOME_CONFLICT: 'QUOTA_OUTCOME_CONFLICT',
} as const;

/**
 * What a change of a quota came to.
 */
export type QuotaOutcome =
  | 'QUOTA_OUTCOME_UNSPECIFIED'
  | 0
  /**
   * It holds from now on. Where more is used than that, `overage` says how much.
   */
  | 'QUOTA_OUTCOME_APPLIED'
  | 1
  /**
   * The quota has changed since: nothing was done. Look at it and ask again.
   */
  | 'QUOTA_OUTCOME_STALE'
  | 2
  /**
   * It contradicts itself or what is guaranteed to others: nothing was done.
   */
  | 'QUOTA_OUTCOME_CONFLICT'
  | 3

/**
 * What a change of a quota came to.
 */
export type QuotaOutcome__Output = typeof QuotaOutcome[keyof typeof QuotaOutcome]
