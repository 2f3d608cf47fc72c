/** The report for a terminal: the figures of the starts, and the keys with their goals. */
import { definitionOf, KEY_NAMES, type KeyName } from './keys.js';
import { FLOORS, OPERATION_NAMES } from './operations/index.js';
import { type KeyResult, NOT_CHOSEN, type Report } from './report.js';
import type { Figures } from './samples.js';

const COLUMNS = ['p50', 'p99', 'mean', 'spread', 'client cpu', 'daemon cpu', 'cycles', 'vs floor'];
const row = (name: string, cells: readonly string[]) =>
  [name.padEnd(16), ...cells.map((cell) => cell.padStart(11))].join('').trimEnd();

function line(name: string, figures: Figures, ratio = ''): string {
  const { p50, p99, mean, processor } = figures;
  const times = [p50, p99, mean, processor.client, processor.daemon].map((us) => us.toFixed(1));
  const spread = `${(figures.spread * 100).toFixed(1)} %`;
  return row(name, [...times.slice(0, 3), spread, ...times.slice(3), String(figures.iterations), ratio]);
}

function figureLines({ floor, measured, payloadBytes, starts }: Report): string[] {
  const lines = [
    ...FLOORS.flatMap((name) => (floor[name] ? [line(`floor ${name}`, floor[name])] : [])),
    ...OPERATION_NAMES.flatMap((name) => {
      const figures = measured[name];
      return figures ? [line(name, figures, `${figures.vsFloor.toFixed(2)} x`)] : [];
    }),
  ];
  if (lines.length === 0) return [];
  const head = `${payloadBytes} bytes, ${starts} starts; microseconds of a cycle; cpu is processor time`;
  return [head, row('', COLUMNS), ...lines, ''];
}

function goalOf({ goal, met, moonshot }: KeyResult): string {
  if (goal === null) return '';
  const state = met === null ? '' : met ? ', met' : ', MISSED';
  return `${goal}${state}${moonshot === null ? '' : `; moonshot ${moonshot}`}`;
}

function keyLine(key: KeyName, result: KeyResult): string {
  const { value, unit, reason } = result;
  const shown = value === null ? '-' : `${value} ${unit}`;
  const rest = [goalOf(result), reason].filter(Boolean).join('; ');
  return `${key.padEnd(26)}${shown.padStart(16)}  ${rest}`.trimEnd();
}

export function table(report: Report): string {
  const { machine, device, keys } = report;
  return [
    `${device}; ${machine.cpu}, pinned to ${machine.pinnedTo}; Linux ${machine.kernel}; Node.js ${machine.node.slice(1)}`,
    ...figureLines(report),
    ...KEY_NAMES.filter((key) => keys[key].reason !== NOT_CHOSEN).map((key) => keyLine(key, keys[key])),
  ].join('\n');
}

/** What a key says, for a list of them. */
export const keyList = (): string =>
  KEY_NAMES.map((key) => `  ${key.padEnd(26)}${definitionOf(key).what}`).join('\n');
