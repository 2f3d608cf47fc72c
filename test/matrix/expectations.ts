/**
 * What each case must end as.
 *
 * Two things are asked of an outcome. It agrees with ListDevices: where a kind that the case needs is
 * UNSUPPORTED, the refusal is KIND_UNSUPPORTED (or KINDS_EXCLUSIVE) with the very reason that is listed;
 * where all are offered, it is one of those that the case may end as, and of a plain case that is `pass`
 * alone. And on the drivers that are the same on every machine it is what table.ts says.
 */
import type { KindName } from '@vkmemd/proto';
import type { Answer, Case, Refusal } from './cases.js';
import type { Seat } from './seat.js';
import { knows, tabled } from './table.js';

/** How a case ended: granted and used, or refused. */
export interface Outcome {
  readonly answer: Answer;
  readonly reason: string;
  readonly missing: string;
}

/** What is refused because of what ListDevices says of the kinds; undefined where it offers each of them. */
export function refusedByRungs(seat: Seat, kinds: readonly KindName[]): Refusal | undefined {
  if (kinds.includes('MAPPABLE') && kinds.includes('RDMA_ADDRESS')) return { code: 'KINDS_EXCLUSIVE' };
  const unsupported = kinds.find((kind) => !seat.offers(kind));
  if (unsupported === undefined) return undefined;
  const { reason, missing } = seat.report(unsupported);
  return { code: 'KIND_UNSUPPORTED', reason: `${unsupported}: ${reason}`, missing };
}

/** The one refusal that a case must end as whatever the driver would say; undefined where there is none. */
const refusalOf = (seat: Seat, { kinds, refused }: Case): Refusal | undefined =>
  refused?.(seat) ?? refusedByRungs(seat, kinds);

/** What is wrong with an outcome: nothing, or a line for each thing. */
export function faultsOf(seat: Seat, one: Case, { answer, reason, missing }: Outcome): string[] {
  const { driver, device } = seat;
  const faults: string[] = [];
  const refusal = refusalOf(seat, one);
  const allowed = refusal ? [refusal.code] : one.may;
  if (!allowed.includes(answer)) faults.push(`ListDevices makes one expect ${allowed.join(' or ')}`);
  if (refusal?.reason !== undefined && refusal.reason !== reason) faults.push(`not: ${refusal.reason}`);
  if (refusal?.missing !== undefined && refusal.missing !== missing) {
    faults.push(`what is missing is '${missing}', not '${refusal.missing}'`);
  }
  if (answer !== 'pass' && reason === '') faults.push('a refusal says why');
  const said = driver.name === 'GPU' ? undefined : tabled(one.name, driver.name, device.driverInfo);
  if (said !== undefined && said !== answer) faults.push(`the table says ${said}`);
  return faults;
}

/** Whether a case may end in one way only, as it must on every driver that the table knows. */
export function isSettled(seat: Seat, one: Case): boolean {
  const { driver, device } = seat;
  if (driver.name === 'GPU' || !knows(driver.name, device.driverInfo)) return true;
  const said = tabled(one.name, driver.name, device.driverInfo);
  return said !== undefined || refusalOf(seat, one) !== undefined || one.may.length === 1;
}
