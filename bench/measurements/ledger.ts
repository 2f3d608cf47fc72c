/** Claims while the ledger has very many allocations, and the memory of an allocation. */
import { fewer, measureGrowth } from './growth.js';
import type { Measurement } from './measurement.js';

const [FEW, WANTED] = [1000, 50_000];
const [QUICK_FEW, QUICK] = [10, 200];

export const measureLedger: Measurement = async (conditions) => {
  const [few, many] = conditions.quick ? [QUICK_FEW, QUICK] : [FEW, WANTED];
  const grown = await measureGrowth(conditions, { what: 'allocations', few, many });
  const reason = fewer(grown.held, WANTED, 'allocations');
  return {
    values: { ledger50k: grown.many.p50 / grown.few.p50, ledger50kKiB: grown.kibEach },
    ...(reason && { reasons: { ledger50k: reason, ledger50kKiB: reason } }),
    details: { ...grown },
  };
};
