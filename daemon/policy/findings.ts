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

/** Maximum characters of the faults in an answer, which leaves room for the number of the others. */
const MAX_LISTED = 940;

/** The faults that fit an answer, one a line, and how many do not. The first one is always listed. */
function listed(faults: readonly Finding[]): string {
  const lines: string[] = [];
  let length = 0;
  for (const line of faults.map(findingText)) {
    length += line.length + 1;
    if (length > MAX_LISTED && lines.length > 0) break;
    lines.push(line);
  }
  const more = faults.length - lines.length;
  return [...lines, ...(more > 0 ? [`and ${more} more.`] : [])].join('\n');
}

/** POLICY_INVALID. `findings` has all faults, the reason as many as fit an answer. */
export class PolicyError extends VkmemError {
  readonly findings: Findings;

  /** @param next What to do about them. */
  constructor(findings: Findings, next?: string) {
    const { faults } = findings;
    const [first] = faults;
    const place = first ? { place: placeText(first.at) } : {};
    super('POLICY_INVALID', listed(faults), { faults: String(faults.length), ...place }, undefined, next);
    this.findings = findings;
  }
}
