// Original file: proto/vkmem/v1/control.proto

/**
 * Where driver_budget_bytes comes from.
 */
export const BudgetSource = {
  BUDGET_SOURCE_UNSPECIFIED: 'BUDGET_SOURCE_UNSPECIFIED',
  /**
   * VK_EXT_memory_budget.
   */
  BUDGET_SOURCE_EXT: 'BUDGET_SOURCE_EXT',
  /**
   * The driver reports no budget. The budget is then four fifths of the heap, and the usage is the daemon's
   * own account.
   */
  BUDGET_SOURCE_ESTIMATED: 'BUDGET_SOURCE_ESTIMATED',
} as const;

/**
 * Where driver_budget_bytes comes from.
 */
export type BudgetSource =
  | 'BUDGET_SOURCE_UNSPECIFIED'
  | 0
  /**
   * VK_EXT_memory_budget.
   */
  | 'BUDGET_SOURCE_EXT'
  | 1
  /**
   * The driver reports no budget. The budget is then four fifths of the heap, and the usage is the daemon's
   * own account.
   */
  | 'BUDGET_SOURCE_ESTIMATED'
  | 2

/**
 * Where driver_budget_bytes comes from.
 */
export type BudgetSource__Output = typeof BudgetSource[keyof typeof BudgetSource]
