/**
 * Coverage of daemon/, proto/ and client/ as V8 counts it, in the tests and in all processes that they start
 * (NODE_V8_COVERAGE), reported by c8 for the TypeScript sources. The floor of the chosen files is scripts/coverage.json.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { mergeProcessCovs } from '@bcoe/v8-coverage';
import { root } from '../command.mjs';

const FLOOR = join(root, 'scripts/coverage.json');
const PARTS = ['proto', 'daemon', 'client/typescript'];
const COVERED = PARTS.map((part) => pathToFileURL(join(root, part, 'dist/')).href);

/** Which branches a run takes depends a little on its timing. */
const floorOf = (percent) => Math.floor((percent - 0.5) * 10) / 10;

/** Only our compiled modules; undefined for a report that a killed process left unfinished. */
function readReport(path) {
  try {
    const { result } = JSON.parse(readFileSync(path, 'utf8'));
    return { result: result.filter(({ url }) => COVERED.some((prefix) => url.startsWith(prefix))) };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export class Coverage {
  #folder = mkdtempSync(join(tmpdir(), 'vkmemd-coverage-'));
  #merged = join(this.#folder, 'merged');

  constructor() {
    chmodSync(this.#folder, 0o755);
    mkdirSync(this.#merged);
  }

  /** @returns The environment with which a test file reports its coverage. */
  begin(file) {
    const folder = this.#folderOf(file);
    mkdirSync(folder);
    // Some tests start processes as other users.
    chmodSync(folder, 0o777);
    return { NODE_V8_COVERAGE: folder };
  }

  /** Merges the reports of a test file's processes: there are hundreds, of megabytes each. */
  end(file) {
    const folder = this.#folderOf(file);
    const reports = readdirSync(folder)
      .map((name) => readReport(join(folder, name)))
      .filter(Boolean);
    const name = `coverage-${readdirSync(this.#merged).length}.json`;
    writeFileSync(join(this.#merged, name), JSON.stringify(mergeProcessCovs(reports)));
    rmSync(folder, { recursive: true, force: true });
  }

  /**
   * Prints the table.
   * @param floor Whether there is a floor. @param record Whether it becomes what was measured.
   * @returns What is below the floor, a line each.
   */
  report({ floor, record }) {
    const args = ['--temp-directory', this.#merged, '--reports-dir', this.#folder, '--exclude-after-remap'];
    const reporters = ['--reporter', 'text', '--reporter', 'json-summary'];
    const sources = PARTS.flatMap((part) => ['--include', `${part}/**/*.ts`]);
    const c8 = join(root, 'node_modules/.bin/c8');
    spawnSync(c8, ['report', ...args, ...reporters, ...sources], { cwd: root, stdio: ['ignore', 1, 2] });
    const { total } = JSON.parse(readFileSync(join(this.#folder, 'coverage-summary.json'), 'utf8'));
    rmSync(this.#folder, { recursive: true, force: true });
    if (!floor) return [];
    const floors = JSON.parse(readFileSync(FLOOR, 'utf8'));
    if (record) {
      for (const what of Object.keys(floors)) floors[what] = floorOf(total[what].pct);
      writeFileSync(FLOOR, `${JSON.stringify(floors, null, 2)}\n`);
    }
    return Object.entries(floors)
      .filter(([what, least]) => total[what].pct < least)
      .map(([what, least]) => `coverage of ${what}: ${total[what].pct} %, below the floor of ${least} %`);
  }

  #folderOf(file) {
    return join(this.#folder, file.replaceAll('/', '+'));
  }
}
