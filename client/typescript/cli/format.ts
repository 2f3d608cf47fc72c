/**
 * Formats text: tables, bytes, ages, and the schema's enumerators without their prefixes.
 */

export { humanBytes } from '@vkmemd/proto';

/** The time since then, in the largest unit that fits: '3s', '5m', '2h', '4d'. */
export function age(since: { seconds: bigint } | null, nowMs: number): string {
  if (!since) return '-';
  const seconds = Math.max(0, Math.floor(nowMs / 1000) - Number(since.seconds));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/**
 * An enumerator without the prefix of its type: 'KIND_MAPPABLE' is 'MAPPABLE'. Other values stay unchanged.
 */
export function short(prefix: string, value: unknown): string {
  const text = String(value);
  return text.startsWith(prefix) ? text.slice(prefix.length) : text;
}

/** Truncates a text to `width` characters; '…' marks the truncation. */
export function fit(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

/** Breaks a text into lines of at most `width` characters, between words if possible. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > width) {
    const space = rest.lastIndexOf(' ', width);
    const end = space > 0 ? space : width;
    lines.push(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  return [...lines, rest];
}

/** '1 session', '2 sessions'. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** A column of a table: its heading, and whether it is right-aligned. */
export interface Column {
  readonly heading: string;
  readonly right?: boolean;
}

/** A table with headings. Each column is as wide as its longest cell; two spaces separate columns. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const lines = [columns.map(({ heading }) => heading), ...rows];
  const widths = columns.map((_, at) => Math.max(...lines.map((line) => line[at]?.length ?? 0)));
  return lines
    .map((line) =>
      columns
        .map(({ right }, at) => {
          const cell = line[at] ?? '';
          return right ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0);
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
