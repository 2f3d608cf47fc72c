/**
 * Findings: what is wrong with a policy (faults, which keep it from being used) and what is odd about it (warnings),
 * each with its place. All of them are collected before anything is said, so that one look mends everything.
 */
import { VkmemError } from '@vkmemd/proto';

/** Lines and columns count from 1; a column counts UTF-16 units, as most editors do. Absent: the file as a whole. */
export interface Place {
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
}

export interface Finding {
  readonly at: Place;
  readonly what: string;
}

export class Findings {
  readonly faults: Finding[] = [];
  readonly warnings: Finding[] = [];

  fault(at: Place, what: string): void {
    this.faults.push({ at, what });
  }

  warn(at: Place, what: string): void {
    this.warnings.push({ at, what });
  }

  /** In the order in which somebody reads the files. */
  sort(files: readonly string[]): void {
    const before = ({ at: a }: Finding, { at: b }: Finding) =>
      files.indexOf(a.file) - files.indexOf(b.file) ||
      (a.line ?? 0) - (b.line ?? 0) ||
      (a.column ?? 0) - (b.column ?? 0);
    this.faults.sort(before);
    this.warnings.sort(before);
  }
}

/** FILE:LINE:COLUMN, or as much of it as is known. */
export function placeText({ file, line, column }: Place): string {
  return [file, line, column].filter((part) => part !== undefined).join(':');
}

/** One finding in one line: `FILE:LINE:COLUMN: what`. */
export function findingText({ at, what }: Finding): string {
  return `${placeText(at)}: ${what}`;
}

/** What a file says, quoted for a finding: one line, and not much of it. */
export function quoted(text: string): string {
  const short = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  return JSON.stringify(short);
}

/** POLICY_INVALID with every fault; the reason that a caller is sent has as many as fit. */
export class PolicyError extends VkmemError {
  readonly findings: Findings;

  constructor(findings: Findings) {
    const { faults } = findings;
    const [first] = faults;
    const place = first ? { place: placeText(first.at) } : {};
    super('POLICY_INVALID', faults.map(findingText).join('\n'), { faults: String(faults.length), ...place });
    this.findings = findings;
  }
}
