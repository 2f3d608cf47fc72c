/**
 * Recorded times of the test files (test/times.json): file -> [wall time, processor time], in seconds.
 * Processor time includes all descendants that were waited for. Entries of files that no longer exist are
 * ignored.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../command.mjs';

const FILE = join(root, 'test/times.json');

/** A file that uses less of its time waits rather than computes. */
const COMPUTING_SHARE = 0.45;

export function readTimes() {
  return existsSync(FILE) ? JSON.parse(readFileSync(FILE, 'utf8')) : {};
}

/** Replaces the entries of the files that ran, and removes those of files that no longer exist. */
export function writeTimes(measured) {
  const all = Object.entries({ ...readTimes(), ...measured })
    .filter(([file]) => existsSync(join(root, file)))
    .sort(([one], [other]) => (one < other ? -1 : 1));
  const lines = all.map(([file, [wall, processor]]) => {
    return `  ${JSON.stringify(file)}: [${wall.toFixed(1)}, ${processor.toFixed(1)}]`;
  });
  writeFileSync(FILE, `{\n${lines.join(',\n')}\n}\n`);
}

/** Undefined for a file that was not recorded. */
export const wallSeconds = (times, file) => times[file]?.[0];

/** Whether a file mostly waits: for timers, other processes or a guest that boots. */
export function mostlyWaits(times, file) {
  const [wall, processor] = times[file] ?? [1, 1];
  return processor < wall * COMPUTING_SHARE;
}
