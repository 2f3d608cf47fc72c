/**
 * Findings: the faults of a policy, which make it invalid, and warnings about it, each with its place. All of
 * them are collected and reported together, so that they can be fixed at once.
 */
import { VkmemError } from '@vkmemd/proto';

/**
 * A place in a file. Lines and columns count from 1, columns in UTF-16 code units, as in most editors.
 * Without a line it is the whole file.
 */
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

  /** Sorts by file, line and column. @param files In the order in which they are read. */
  sort(files: readonly string[]): void {
    const before = ({ at: a }: Finding, { at: b }: Finding) =>
      files.indexOf(a.file) - files.indexOf(b.file) ||
      (a.line ?? 0) - (b.line ?? 0) ||
      (a.column ?? 0) - (b.column ?? 0);
    this.faults.sort(before);
    this.warnings.sort(before);
  }
}

/** FILE:LINE:COLUMN; parts that are not known are omitted. */
export function placeText({ file, line, column }: Place): string {
  return [file, line, column].filter((part) => part !== undefined).join(':');
}

/** One finding as one line: `FILE:LINE:COLUMN: what`. */
export function findingText({ at, what }: Finding): string {
  return `${placeText(at)}: ${what}`;
}

/** Text from a file, quoted for a finding: one line, at most 60 characters. */
export function quoted(text: string): string {
  const short = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  return JSON.stringify(short);
}

/** POLICY_INVALID with all faults, one a line. A response to a client contains as many of them as fit. */
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
