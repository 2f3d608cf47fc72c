/**
 * The rows of the GPU benchmark: what is measured, its goal, and the report. Every row is in every report: one that
 * could not be measured has the reason.
 */
import { type Bound, boundText, isMet } from '../goals.js';
import { median, rounded } from '../samples.js';

export const GIB = 2 ** 30;
export const MIB = 2 ** 20;
/** The size and the number that goals in milliseconds are set for. */
export const LARGE = 64 * GIB;
export const MANY = 1000;

/** A bound: of vkmemd's own figure, or of its ratio to the native one. */
interface Goal extends Bound {
  readonly of: 'vkmemd' | 'ratio';
  /** It is decided only with the size, or the number, that it was set for. */
  readonly with?: 'LARGE' | 'MANY';
}

interface Definition {
  /** `LARGE` stands for the size of the large memory. */
  readonly name: string;
  readonly unit: 'ms' | 'GB/s';
  readonly goal?: Goal;
}

const ms = (name: string, goal?: Goal): Definition => ({ name, unit: 'ms', ...(goal && { goal }) });
const speed = (name: string, atLeast: number): Definition => ({
  name,
  unit: 'GB/s',
  goal: { of: 'ratio', atLeast },
});

export const ROWS = {
  allocate: ms('allocate LARGE, zeroed', { of: 'vkmemd', atMost: 200, with: 'LARGE' }),
  free: ms('free LARGE', { of: 'vkmemd', atMost: 60, with: 'LARGE' }),
  attach: ms('attach LARGE in a fresh process, to the first byte', { of: 'ratio', atMost: 1.4 }),
  copy: speed('copy on the device', 0.99),
  gather4: speed('gather random rows of 4 bytes', 0.95),
  gather1K: speed('gather random rows of 1 KiB', 0.95),
  gather16K: speed('gather random rows of 16 KiB', 0.95),
  transpose: speed('transpose', 0.95),
  small: ms('allocate and grant 2 MiB, on one CPU', { of: 'vkmemd', atMost: 0.5 }),
  many: ms('allocate and grant MANY x 2 MiB, one by one'),
  allocateMany: ms('allocate and grant MANY x 2 MiB by allocateMany()', { of: 'ratio', atMost: 1.3 }),
  attachMany: ms('attach MANY x 2 MiB in a fresh process', { of: 'vkmemd', atMost: 120, with: 'MANY' }),
  claimMany: ms('attach MANY x 2 MiB in a fresh process by claimMany()', {
    of: 'vkmemd',
    atMost: 120,
    with: 'MANY',
  }),
  killed: ms('SIGKILL to the first claim, LARGE in 1', { of: 'vkmemd', atMost: 800, with: 'LARGE' }),
  killedMany: ms('SIGKILL to the first claim, LARGE in MANY', { of: 'vkmemd', atMost: 800, with: 'LARGE' }),
} as const satisfies Readonly<Record<string, Definition>>;
export type RowName = keyof typeof ROWS;
export const ROW_NAMES = Object.keys(ROWS) as readonly RowName[];

/** What was measured, in the row's unit; medians are reported. */
export interface Samples {
  readonly vkmemd: readonly number[];
  /** The same by CUDA's own memory or by bare calls of the driver; absent where there is no counterpart. */
  readonly native?: readonly number[];
  /** Why `native` is absent although there is a counterpart. */
  readonly note?: string;
}

export interface Row {
  readonly id: RowName;
  readonly name: string;
  readonly unit: 'ms' | 'GB/s';
  readonly vkmemd: number | null;
  readonly native: number | null;
  /** vkmemd to native. */
  readonly ratio: number | null;
  /** Such as `<= 200 ms` or `>= 0.95 x`; null without one. */
  readonly goal: string | null;
  /** Null without a goal, or where it cannot be decided. */
  readonly met: boolean | null;
  /** Why nothing was measured. */
  readonly skipped?: string;
  readonly note?: string;
  readonly samples?: { readonly vkmemd: readonly number[]; readonly native: readonly number[] };
}

export interface Report {
  /** The day, as 2026-12-03. */
  readonly date: string;
  /** The Vulkan device, its driver, and CUDA's version, empty without CUDA. */
  readonly device: string;
  readonly driver: string;
  readonly cuda: string;
  readonly kernel: string;
  readonly node: string;
  readonly cpus: number;
  /** Of the large memory, and the number of small ones. */
  readonly largeBytes: number;
  readonly many: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly rows: readonly Row[];
}

export const sizeText = (bytes: number): string =>
  bytes % GIB === 0 ? `${bytes / GIB} GiB` : `${bytes / MIB} MiB`;

const manyText = (many: number): string => (many < 1000 ? String(many) : `${Math.floor(many / 1000)} 000`);

const goalText = (goal: Goal, unit: string): string => boundText(goal, goal.of === 'ratio' ? 'x' : unit);

/** Collects the rows while phases run. */
export class Rows {
  readonly #samples = new Map<RowName, Samples>();
  readonly #reasons = new Map<RowName, string>();
  readonly #say: (text: string) => void;

  /** @param say Is given each row as soon as it was measured, so that an end before the report loses none. */
  constructor(say: (text: string) => void = () => {}) {
    this.#say = say;
  }

  measured(name: RowName, samples: Samples): void {
    this.#samples.set(name, samples);
    const [vkmemd, native] = [samples.vkmemd, samples.native ?? []].map((all) =>
      all.length ? median(all) : null,
    );
    this.#say(
      `${name}: vkmemd ${number(vkmemd ?? null)} ${ROWS[name].unit}, native ${number(native ?? null) || '-'}`,
    );
  }

  /** Has no effect on rows that were measured, or skipped before. */
  skipped(names: readonly RowName[], reason: string): void {
    for (const name of names) if (!this.#reasons.has(name)) this.#reasons.set(name, reason);
  }

  all({ largeBytes, many }: { readonly largeBytes: number; readonly many: number }): Row[] {
    return ROW_NAMES.map((id) => {
      const { name, unit, goal }: Definition = ROWS[id];
      const text = name.replace('LARGE', sizeText(largeBytes)).replace('MANY', manyText(many));
      const row = { id, name: text, unit, goal: goal ? goalText(goal, unit) : null };
      const samples = this.#samples.get(id);
      if (!samples || samples.vkmemd.length === 0) {
        const skipped = this.#reasons.get(id) ?? 'its phase was not chosen';
        return { ...row, vkmemd: null, native: null, ratio: null, met: null, skipped };
      }
      const vkmemd = rounded(median(samples.vkmemd));
      const native = samples.native?.length ? rounded(median(samples.native)) : null;
      const ratio = native === null ? null : rounded(median(samples.vkmemd) / median(samples.native ?? []));
      const as = { LARGE: largeBytes === LARGE, MANY: many === MANY };
      const applies = goal && (goal.with === undefined || as[goal.with]);
      return {
        ...row,
        ...{ vkmemd, native, ratio, met: applies ? met(goal, goal.of === 'ratio' ? ratio : vkmemd) : null },
        ...(samples.note !== undefined && { note: samples.note }),
        samples: { vkmemd: samples.vkmemd.map(rounded), native: (samples.native ?? []).map(rounded) },
      };
    });
  }
}

const met = (goal: Goal, value: number | null): boolean | null =>
  value === null ? null : isMet(goal, value);

const number = (value: number | null): string => (value === null ? '' : String(Number(value.toPrecision(4))));

/** The report for a terminal. */
export function table(report: Report): string {
  const { rows, device, driver, cuda, kernel, cpus, node, rounds, seconds } = report;
  const width = Math.max(...rows.map(({ name }) => name.length)) + 2;
  const line = (name: string, cells: readonly string[], rest: string) =>
    [name.padEnd(width), ...cells.map((cell) => cell.padStart(10)), `  ${rest}`].join('').trimEnd();
  const goal = ({ goal: text, met: is }: Row) =>
    text === null ? '' : `${text}${is === null ? '' : is ? ', met' : ', MISSED'}`;
  return [
    `${device}; ${driver}${cuda && `; CUDA ${cuda}`}; Linux ${kernel}; ${cpus} CPUs; Node.js ${node.slice(1)}`,
    `medians; rounds: ${rounds}; ${seconds} s in all`,
    line('', ['vkmemd', 'native', 'ratio', 'unit'], 'goal'),
    ...rows.map((row) => {
      if (row.skipped !== undefined) return `${row.name.padEnd(width)}  skipped: ${row.skipped}`;
      const cells = [number(row.vkmemd), number(row.native), number(row.ratio), row.unit];
      return line(row.name, cells, [goal(row), row.note].filter(Boolean).join('; '));
    }),
  ].join('\n');
}
