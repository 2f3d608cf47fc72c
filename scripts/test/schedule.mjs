/**
 * The order of the runs of test files; a run is `{ file, major? }`, with a version of Node.js where that is not
 * vkmemd's own. Files that compute and files that mostly wait have lanes of their own beside each other; in
 * each lane the longest file runs first. Files that need the machine to themselves follow, one at a time.
 */
import { mostlyWaits, wallSeconds } from './times.mjs';

/** How many files run at once, by lane. */
export const JOBS = { computing: 2, waiting: 2 };

/** @param alone Whether a file needs the machine to itself. */
export function schedule(runs, times, alone) {
  // A file without a time may be long.
  const length = ({ file }) => wallSeconds(times, file) ?? Number.POSITIVE_INFINITY;
  const longestFirst = [...runs].sort((one, other) => {
    const [a, b] = [length(one), length(other)];
    return b - a || one.file.localeCompare(other.file) || (one.major ?? 0) - (other.major ?? 0);
  });
  const shared = longestFirst.filter(({ file }) => !alone(file));
  return {
    computing: shared.filter(({ file }) => !mostlyWaits(times, file)),
    waiting: shared.filter(({ file }) => mostlyWaits(times, file)),
    alone: runs.filter(({ file }) => alone(file)),
  };
}

/** What some files need, made by the first job while others run. */
class Preparation {
  /** @param needs Whether a file needs it. @param make Makes it. Called at most once. */
  constructor({ needs, make } = { needs: () => false, make: () => {} }) {
    this.needs = needs;
    this.make = make;
    this.done = false;
  }

  begin() {
    const made = () => {
      this.done = true;
    };
    // The files that need it report why it is missing.
    return Promise.resolve(this.make()).then(made, made);
  }

  allows = ({ file }) => this.done || !this.needs(file);
}

/**
 * Runs a schedule. A job of the computing lane takes files that wait when its own lane is empty.
 * @param run One run.
 * @param prepared `{ needs, make }`: what `make` makes in the computing lane before the files that need it.
 */
export async function runSchedule({ computing, waiting, alone }, run, prepared) {
  const lanes = { computing: [...computing], waiting: [...waiting] };
  const all = [...computing, ...waiting, ...alone];
  const preparation = new Preparation(prepared);
  const needed = all.some(({ file }) => preparation.needs(file));
  const preparing = needed ? preparation.begin() : Promise.resolve();
  const take = (names) => {
    for (const lane of names.map((name) => lanes[name])) {
      const index = lane.findIndex(preparation.allows);
      if (index >= 0) return lane.splice(index, 1)[0];
    }
    return undefined;
  };
  const job = async (...names) => {
    while (names.some((name) => lanes[name].length > 0)) {
      const next = take(names);
      if (next) await run(next);
      else await preparing;
    }
  };
  const occupied = async (...names) => {
    await preparing;
    await job(...names);
  };
  await Promise.all([
    occupied('computing', 'waiting'),
    ...Array.from({ length: JOBS.computing - 1 }, () => job('computing', 'waiting')),
    ...Array.from({ length: JOBS.waiting }, () => job('waiting')),
  ]);
  for (const next of alone) await run(next);
}
