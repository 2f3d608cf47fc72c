/** Claims while very many sessions are idle, and the memory of a session. */
import { fewer, measureGrowth } from './growth.js';
import type { Measurement } from './measurement.js';

const WANTED = 10_000;
const QUICK = 100;

export const measureSessions: Measurement = async (conditions) => {
  const many = conditions.quick ? QUICK : WANTED;
  const limits = conditions.quick ? undefined : `sessions = ${2 * WANTED}\n`;
  const amounts = { what: 'sessions', few: 0, many, ...(limits && { limits }) } as const;
  const grown = await measureGrowth(conditions, amounts);
  const reason = fewer(grown.held, WANTED, 'sessions');
  return {
    values: { sessions10k: grown.many.p99 / grown.few.p99, sessions10kKiB: grown.kibEach },
    ...(reason && { reasons: { sessions10k: reason, sessions10kKiB: reason } }),
    details: { ...grown },
  };
};
