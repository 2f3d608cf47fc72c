/**
 * Text for people: tables, bytes, ages; and the schema's names without their prefixes.
 */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** Bytes with a unit of 1024s, and one decimal where that loses something: '64 MiB', '1.5 GiB'. */
export function humanBytes(bytes: bigint): string {
  let value = Number(bytes);
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const shown = Number.isInteger(value) ? String(value) : value.toFixed(1);
  return `${shown} ${UNITS[unit]}`;
}

/** How long ago, in the largest unit that fits: '3s', '5m', '2h', '4d'. */
export function age(since: { seconds: bigint } | null, nowMs: number): string {
  if (!since) return '-';
  const seconds = Math.max(0, Math.floor(nowMs / 1000) - Number(since.seconds));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/**
 * An enumerator without its type's name: 'KIND_MAPPABLE' is 'MAPPABLE'. What this build does not know stays.
 */
export function short(prefix: string, value: unknown): string {
  const text = String(value);
  return text.startsWith(prefix) ? text.slice(prefix.length) : text;
}

/** At most `width` characters; a cut is marked. */
export function fit(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

/** Lines of at most `width` characters, broken between words where that is possible. */
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

/** A column: its heading, and whether its cells are numbers, which end at the same place. */
export interface Column {
  readonly heading: string;
  readonly right?: boolean;
}

/** Rows under headings, two spaces apart, each column as wide as it needs. */
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
