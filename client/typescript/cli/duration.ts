/**
 * Parses durations: an integer and a unit, `90s`, `15m`, `1h`, `7d`; without a unit, seconds.
 */
import { VkmemError } from '@vkmemd/proto';

const DURATION = /^(\d+)\s*([smhd])?$/i;
const SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

/**
 * Parses a duration.
 * @param what The name of the option, for errors.
 * @returns Seconds. The maximum is checked with the request.
 * @throws VkmemError INVALID_ARGUMENT.
 */
export function parseSeconds(what: string, text: string): number {
  const [, digits, unit = 's'] = DURATION.exec(text.trim()) ?? [];
  if (digits !== undefined) return Number(digits) * (SECONDS[unit.toLowerCase()] ?? 1);
  const reason = `${what}: ${JSON.stringify(text)} is not a duration; write 90s, 15m, 1h or 7d.`;
  throw new VkmemError('INVALID_ARGUMENT', reason, { field: what });
}
