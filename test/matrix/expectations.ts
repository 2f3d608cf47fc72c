/**
 * The expected outcome of each case.
 *
 * An outcome is checked in two ways. It must agree with ListDevices: where a kind that the case requires is
 * UNSUPPORTED, the refusal is KIND_UNSUPPORTED (or KINDS_EXCLUSIVE) with exactly the listed reason; where all
 * are offered, it is one of the case's possible outcomes, and for a plain case only `pass`. On drivers that
 * behave the same on every machine it must also equal table.ts.
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

/** The refusal that follows from the kinds in ListDevices; undefined if it offers each of them. */
export function refusedByRungs(seat: Seat, kinds: readonly KindName[]): Refusal | undefined {
  if (kinds.includes('MAPPABLE') && kinds.includes('RDMA_ADDRESS')) return { code: 'KINDS_EXCLUSIVE' };
  const unsupported = kinds.find((kind) => !seat.offers(kind));
  if (unsupported === undefined) return undefined;
  const { reason, missing } = seat.report(unsupported);
  return { code: 'KIND_UNSUPPORTED', reason: `${unsupported}: ${reason}`, missing };
}

/** The only refusal that a case may end with, whatever the driver does; undefined if there is none. */
const refusalOf = (seat: Seat, { kinds, refused }: Case): Refusal | undefined =>
  refused?.(seat) ?? refusedByRungs(seat, kinds);

/** The errors of an outcome, one line each; empty if it is correct. */
export function faultsOf(seat: Seat, one: Case, { answer, reason, missing }: Outcome): string[] {
  const { driver, device } = seat;
  const faults: string[] = [];
  const refusal = refusalOf(seat, one);
  const allowed = refusal ? [refusal.code] : one.may;
  if (!allowed.includes(answer)) faults.push(`ListDevices implies ${allowed.join(' or ')}`);
  if (refusal?.reason !== undefined && refusal.reason !== reason) faults.push(`not: ${refusal.reason}`);
  if (refusal?.missing !== undefined && refusal.missing !== missing) {
    faults.push(`'missing' is '${missing}', not '${refusal.missing}'`);
  }
  if (answer !== 'pass' && reason === '') faults.push('the refusal has no reason');
  const said = driver.name === 'GPU' ? undefined : tabled(one.name, driver.name, device.driverInfo);
  if (said !== undefined && said !== answer) faults.push(`the table expects ${said}`);
  return faults;
}

/** Whether a case has only one possible outcome, as it must on every driver in the table. */
export function isSettled(seat: Seat, one: Case): boolean {
  const { driver, device } = seat;
  if (driver.name === 'GPU' || !knows(driver.name, device.driverInfo)) return true;
  const said = tabled(one.name, driver.name, device.driverInfo);
  return said !== undefined || refusalOf(seat, one) !== undefined || one.may.length === 1;
}
