/**
 * The order of the test files. Files that compute and files that mostly wait have lanes of their own beside
 * each other; in each lane the longest file runs first. Files that need the machine to themselves follow, one
 * at a time.
 */
import { mostlyWaits, wallSeconds } from './times.mjs';

/** How many files run at once, by lane. */
export const JOBS = { computing: 2, waiting: 2 };

/** @param alone Whether a file needs the machine to itself. */
export function schedule(files, times, alone) {
  // A file without a time may be long.
  const length = (file) => wallSeconds(times, file) ?? Number.POSITIVE_INFINITY;
  const longestFirst = [...files].sort((one, other) => {
    const [a, b] = [length(one), length(other)];
    return a === b ? (one < other ? -1 : 1) : b - a;
  });
  const shared = longestFirst.filter((file) => !alone(file));
  return {
    computing: shared.filter((file) => !mostlyWaits(times, file)),
    waiting: shared.filter((file) => mostlyWaits(times, file)),
    alone: files.filter(alone),
  };
}

/**
 * Runs a schedule. A job of the computing lane takes files that wait when its own lane is empty. @param run
 * One file.
 */
export async function runSchedule({ computing, waiting, alone }, run) {
  const lanes = { computing: [...computing], waiting: [...waiting] };
  const job = async (...names) => {
    const next = () =>
      names
        .map((name) => lanes[name])
        .find((files) => files.length > 0)
        ?.shift();
    for (let file = next(); file; file = next()) await run(file);
  };
  await Promise.all([
    ...Array.from({ length: JOBS.computing }, () => job('computing', 'waiting')),
    ...Array.from({ length: JOBS.waiting }, () => job('waiting')),
  ]);
  for (const file of alone) await run(file);
}
