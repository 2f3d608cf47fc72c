// Original file: proto/vkmem/v1/control.proto

import type { BudgetSource as _vkmem_v1_BudgetSource, BudgetSource__Output as _vkmem_v1_BudgetSource__Output } from '../../vkmem/v1/BudgetSource.js';
import type { Pressure as _vkmem_v1_Pressure, Pressure__Output as _vkmem_v1_Pressure__Output } from '../../vkmem/v1/Pressure.js';
import type { Long } from '@grpc/proto-loader';

export interface HeapBudget {
  'heapIndex'?: (number);
  'sizeBytes'?: (number | string | Long);
  /**
   * What the driver lets the daemon's process use in all, and what it says is used.
   */
  'driverBudgetBytes'?: (number | string | Long);
  'driverUsageBytes'?: (number | string | Long);
  'source'?: (_vkmem_v1_BudgetSource);
  /**
   * The daemon's own account: allocations in use.
   */
  'liveBytes'?: (number | string | Long);
  /**
   * Freed, but still held by somebody.
   */
  'drainingBytes'?: (number | string | Long);
  /**
   * Charged for requests under way.
   */
  'reservedBytes'?: (number | string | Long);
  /**
   * What a request can still have, of a user to whom nothing is guaranteed.
   */
  'availableBytes'?: (number | string | Long);
  'pressure'?: (_vkmem_v1_Pressure);
  /**
   * Kept free for users with a reservation, who do not use it yet.
   */
  'guaranteedBytes'?: (number | string | Long);
}

export interface HeapBudget__Output {
  'heapIndex': (number);
  'sizeBytes': (Long);
  /**
   * What the driver lets the daemon's process use in all, and what it says is used.
   */
  'driverBudgetBytes': (Long);
  'driverUsageBytes': (Long);
  'source': (_vkmem_v1_BudgetSource__Output);
  /**
   * The daemon's own account: allocations in use.
   */
  'liveBytes': (Long);
  /**
   * Freed, but still held by somebody.
   */
  'drainingBytes': (Long);
  /**
   * Charged for requests under way.
   */
  'reservedBytes': (Long);
  /**
   * What a request can still have, of a user to whom nothing is guaranteed.
   */
  'availableBytes': (Long);
  'pressure': (_vkmem_v1_Pressure__Output);
  /**
   * Kept free for users with a reservation, who do not use it yet.
   */
  'guaranteedBytes': (Long);
}
