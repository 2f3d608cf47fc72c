// Original file: proto/vkmem/v1/control.proto

import type { BudgetSource as _vkmem_v1_BudgetSource, BudgetSource__Output as _vkmem_v1_BudgetSource__Output } from '../../vkmem/v1/BudgetSource.js';
import type { Pressure as _vkmem_v1_Pressure, Pressure__Output as _vkmem_v1_Pressure__Output } from '../../vkmem/v1/Pressure.js';
import type { Long } from '@grpc/proto-loader';

export interface HeapBudget {
  'heapIndex'?: (number);
  'sizeBytes'?: (number | string | Long);
  /**
   * The budget and the usage that the driver reports for the daemon's process.
   */
  'driverBudgetBytes'?: (number | string | Long);
  'driverUsageBytes'?: (number | string | Long);
  'source'?: (_vkmem_v1_BudgetSource);
  /**
   * Bytes of live allocations, in the daemon's own account.
   */
  'liveBytes'?: (number | string | Long);
  /**
   * Bytes of freed allocations that are still held.
   */
  'drainingBytes'?: (number | string | Long);
  /**
   * Bytes charged for requests that are in progress.
   */
  'reservedBytes'?: (number | string | Long);
  /**
   * Bytes that a user without a reservation can still allocate.
   */
  'availableBytes'?: (number | string | Long);
  'pressure'?: (_vkmem_v1_Pressure);
  /**
   * Bytes of reservations that their users have not used yet.
   */
  'guaranteedBytes'?: (number | string | Long);
  /**
   * The limit of the host that leaves less than the driver's budget: a file of a control group, RLIMIT_AS, or
   * MemAvailable of /proc/meminfo. Empty if none does.
   */
  'limitedBy'?: (string);
}

export interface HeapBudget__Output {
  'heapIndex': (number);
  'sizeBytes': (Long);
  /**
   * The budget and the usage that the driver reports for the daemon's process.
   */
  'driverBudgetBytes': (Long);
  'driverUsageBytes': (Long);
  'source': (_vkmem_v1_BudgetSource__Output);
  /**
   * Bytes of live allocations, in the daemon's own account.
   */
  'liveBytes': (Long);
  /**
   * Bytes of freed allocations that are still held.
   */
  'drainingBytes': (Long);
  /**
   * Bytes charged for requests that are in progress.
   */
  'reservedBytes': (Long);
  /**
   * Bytes that a user without a reservation can still allocate.
   */
  'availableBytes': (Long);
  'pressure': (_vkmem_v1_Pressure__Output);
  /**
   * Bytes of reservations that their users have not used yet.
   */
  'guaranteedBytes': (Long);
  /**
   * The limit of the host that leaves less than the driver's budget: a file of a control group, RLIMIT_AS, or
   * MemAvailable of /proc/meminfo. Empty if none does.
   */
  'limitedBy': (string);
}
