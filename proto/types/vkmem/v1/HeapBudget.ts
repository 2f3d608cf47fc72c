// Original file: proto/vkmem/v1/control.proto

import type { BudgetSource as _vkmem_v1_BudgetSource, BudgetSource__Output as _vkmem_v1_BudgetSource__Output } from '../../vkmem/v1/BudgetSource.js';
import type { Pressure as _vkmem_v1_Pressure, Pressure__Output as _vkmem_v1_Pressure__Output } from '../../vkmem/v1/Pressure.js';
import type { Long } from '@grpc/proto-loader';

export interface HeapBudget {
  'heapIndex'?: (number);
  'sizeBytes'?: (number | string | Long);
  /**
   * The driver's budget for the daemon's process, and the usage that it reports.
   */
  'driverBudgetBytes'?: (number | string | Long);
  'driverUsageBytes'?: (number | string | Long);
  'source'?: (_vkmem_v1_BudgetSource);
  /**
   * The daemon's own account: allocations in use.
   */
  'liveBytes'?: (number | string | Long);
  /**
   * Freed, but still held.
   */
  'drainingBytes'?: (number | string | Long);
  /**
   * Charged for requests under way.
   */
  'reservedBytes'?: (number | string | Long);
  /**
   * What a user without a reservation can still allocate.
   */
  'availableBytes'?: (number | string | Long);
  'pressure'?: (_vkmem_v1_Pressure);
  /**
   * Reserved for users who do not use their reservation yet.
   */
  'guaranteedBytes'?: (number | string | Long);
}

export interface HeapBudget__Output {
  'heapIndex': (number);
  'sizeBytes': (Long);
  /**
   * The driver's budget for the daemon's process, and the usage that it reports.
   */
  'driverBudgetBytes': (Long);
  'driverUsageBytes': (Long);
  'source': (_vkmem_v1_BudgetSource__Output);
  /**
   * The daemon's own account: allocations in use.
   */
  'liveBytes': (Long);
  /**
   * Freed, but still held.
   */
  'drainingBytes': (Long);
  /**
   * Charged for requests under way.
   */
  'reservedBytes': (Long);
  /**
   * What a user without a reservation can still allocate.
   */
  'availableBytes': (Long);
  'pressure': (_vkmem_v1_Pressure__Output);
  /**
   * Reserved for users who do not use their reservation yet.
   */
  'guaranteedBytes': (Long);
}
