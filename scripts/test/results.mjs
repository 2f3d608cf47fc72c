/** What a test file printed as TAP, for people, and how many assertions passed, failed and were skipped. */
import { inspect } from 'node:util';
import { Parser } from 'tap-parser';

/** The lines of one failure. */
function failureLines({ fullname, name, diag }) {
  const { source: _source, ...rest } = diag || {};
  const details = Object.entries(rest).flatMap(([key, value]) => {
    const text = typeof value === 'string' ? value : inspect(value, { breakLength: 110 });
    return `${key}: ${text.trimEnd()}`.replace(/^/gm, '    ');
  });
  return [`  not ok  ${fullname || name}`, ...details];
}

/** The results of one file, which is counted over its single assertions. */
export class Results {
  passed = 0;
  failed = 0;
  skipped = 0;
  /** What is printed above the file's own line: failures, skips, figures. */
  lines = [];
  /** Receives the file's standard output. */
  parser;
  #name;
  #complete;

  constructor(name) {
    this.#name = name;
    this.parser = new Parser({ name });
    this.#complete = new Promise((resolve) => this.parser.once('complete', resolve));
    this.#follow(this.parser);
  }

  /** The file has ended. @param how Its exit code or signal. */
  async end(how) {
    const { plan } = await this.#complete;
    if (plan.skipAll) this.#count({ skip: plan.comment, name: this.#name });
    if (how !== 0 && this.failed === 0) this.#count({ ok: false, name: `${this.#name} ended with ${how}` });
  }

  /** Counts one assertion, with a line for it unless it passed. */
  #count(result) {
    if (result.skip || result.todo) {
      this.skipped += 1;
      this.lines.push(`  skipped  ${result.fullname || result.name}: ${result.skip || result.todo}`);
    } else if (result.ok) {
      this.passed += 1;
    } else {
      this.failed += 1;
      this.lines.push(...failureLines(result));
    }
  }

  /**
   * Follows a parser. The line that sums up a subtest is not an assertion, unless nothing in the subtest
   * failed.
   */
  #follow(parser) {
    let before;
    parser.on('child', (child) => {
      before = this.failed;
      this.#follow(child);
    });
    parser.on('assert', (result) => {
      const sumsUp = before !== undefined && !result.skip && !result.todo;
      if (!sumsUp || (!result.ok && this.failed === before)) this.#count(result);
      before = undefined;
    });
    parser.on('comment', (comment) => {
      if (comment.startsWith('# figure: ')) this.lines.push(`  ${comment.slice(2).trimEnd()}`);
    });
    parser.on('bailout', (reason) => this.#count({ ok: false, name: `bailed out: ${reason}` }));
  }
}
