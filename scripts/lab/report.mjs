/** What the files of a run of the lab said: printed as they end, and counted as by scripts/test.mjs. */

export const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

export class Report {
  #tally = { passed: 0, failed: 0, skipped: 0 };

  /** Prints what a file said, and counts it. @param results of scripts/test/results.mjs. */
  file(system, file, results, ms) {
    for (const name of Object.keys(this.#tally)) this.#tally[name] += results[name];
    const line = `${results.failed ? 'FAILED' : 'ok'}  ${system} ${file} (${seconds(ms)})`;
    console.log([...results.lines, line].join('\n'));
  }

  /** Something failed that is no assertion of a file: a boot, a guest that hangs, a file that did not run. */
  failed(system, reason) {
    this.#tally.failed += 1;
    console.log(`  not ok  ${system}: ${reason}`);
  }

  skipped(reason) {
    this.#tally.skipped += 1;
    console.log(`  skipped  ${reason}`);
  }

  /** Prints the last line of a run. @returns the exit status. */
  end() {
    const { passed, failed, skipped } = this.#tally;
    console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
    return failed > 0 ? 1 : 0;
  }
}
