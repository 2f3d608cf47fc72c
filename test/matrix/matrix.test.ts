/**
 * The matrix: the same cases on every available driver, each driver with a daemon of its own.
 *
 * Each case is one assertion, named by its outcome: `driver / case: pass`, or `driver / case: refused with
 * CODE: reason`. After each case the daemon must run and hold nothing. A missing driver is one skip with the
 * reason.
 */
import { VkmemError } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { temporaryFolder } from '../support/daemon.js';
import { type Case, casesFor, type Made } from './cases.js';
import { DRIVERS, type Driver, findDriver } from './drivers.js';
import { faultsOf, isSettled, type Outcome } from './expectations.js';
import { checkBudget, checkDoctor, checkRungs } from './reports.js';
import { Seat } from './seat.js';
import { checkSemaphores } from './semaphores.js';
import { TABLED } from './table.js';

/** Releases what a case created, in reverse order. */
async function releaseAll(made: readonly Made[]): Promise<void> {
  for (const one of made.toReversed()) {
    if ('free' in one) await one.free();
    else one.close();
  }
}

/** A refusal of the case's request is an outcome; any other failure is thrown. */
async function play(seat: Seat, { ask }: Case): Promise<Outcome> {
  const made: Made[] = [];
  const keep = <T extends Made>(one: T): T => {
    made.push(one);
    return one;
  };
  try {
    const granted = await ask(seat, keep).catch(refusal);
    if (!(granted instanceof VkmemError)) {
      await granted();
      return { answer: 'pass', reason: '', missing: '' };
    }
    return { answer: granted.code, reason: granted.reason, missing: granted.metadata.missing ?? '' };
  } finally {
    await releaseAll(made);
  }
}

function refusal(failure: unknown): VkmemError {
  if (failure instanceof VkmemError) return failure;
  throw failure;
}

/** One assertion. */
async function assertCase(t: Test, seat: Seat, one: Case): Promise<void> {
  const what = `${seat.driver.name} / ${one.name}`;
  try {
    const outcome = await play(seat, one);
    await seat.settled();
    const { answer, reason } = outcome;
    const ended = answer === 'pass' ? 'pass' : `refused with ${answer}: ${reason}`;
    const faults = faultsOf(seat, one, outcome);
    if (faults.length === 0) t.pass(`${what}: ${ended}`);
    else t.fail(`${what}: ${ended}`, { faults });
  } catch (failure) {
    t.fail(`${what}: ${String(failure)}`, { failure, log: seat.log() });
  }
}

async function runMatrix(t: Test, driver: Driver): Promise<void> {
  const seat = await Seat.open(t, driver);
  t.comment(`${driver.name}: ${seat.device.name}, ${seat.device.driverName} ${seat.device.driverInfo}`);
  const cases = casesFor(seat);
  const names = cases.map(({ name }) => name);
  t.equal(new Set(names).size, names.length, `${driver.name} / every case has a unique name: pass`);
  const absent = TABLED.filter((name) => !names.includes(name));
  t.same(absent, [], `${driver.name} / the table names existing cases only: pass`);
  const open = cases.filter((one) => !isSettled(seat, one)).map(({ name }) => name);
  t.same(open, [], `${driver.name} / each case has one expectation: pass`);
  checkRungs(t, seat);
  for (const one of cases) await assertCase(t, seat, one);
  await checkBudget(t, seat);
  await checkSemaphores(t, seat);
  await checkDoctor(t, seat);
}

const folder = temporaryFolder(t);
// All drivers are searched first: tap ends once it has nothing to do.
const found = await Promise.all(DRIVERS.map((name) => findDriver(name, folder)));
for (const [at, driver] of found.entries()) {
  if ('missing' in driver) t.test(DRIVERS[at] ?? '', { skip: driver.missing }, () => {});
  else t.test(driver.name, (t) => runMatrix(t, driver));
}
