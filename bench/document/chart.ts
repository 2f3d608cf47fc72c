/** A chart of horizontal bars as SVG, in light and dark. */

/** A part of a bar; parts are stacked. `daemon`, `client`, `floor`, `met` and `missed` are its colours. */
export interface Segment {
  readonly value: number;
  readonly colour: 'daemon' | 'client' | 'floor' | 'met' | 'missed';
}

export interface Bar {
  readonly label: string;
  readonly segments: readonly Segment[];
  /** A mark on the bar's line. */
  readonly mark?: number | undefined;
  /** Behind the bar. */
  readonly text: string;
}

export interface Chart {
  readonly title: string;
  /** For who does not see it, and below the title. */
  readonly description: string;
  readonly scale: 'linear' | 'logarithmic';
  /** What a label of the axis says. */
  readonly tick: (value: number) => string;
  readonly bars: readonly Bar[];
  /** A line over all bars. */
  readonly line?: number;
  readonly legend?: readonly (readonly [Segment['colour'], string])[];
}

const [WIDTH, LEFT, RIGHT, ROW, BAR, TOP] = [920, 210, 190, 26, 16, 84];
const PLOT = WIDTH - LEFT - RIGHT;
const TICKS = 5;

const STYLE = `
    svg { font-family: system-ui, -apple-system, "Segoe UI", "Liberation Sans", sans-serif; font-size: 13px }
    .page { fill: #ffffff }
    text { fill: #1c2430 }
    .title { font-weight: 600; font-size: 15px }
    .note { fill: #4a5563; font-size: 12px }
    .end { text-anchor: end }
    .middle { text-anchor: middle }
    .grid { stroke: #d5dae1 }
    .line { stroke: #1c2430; stroke-width: 1.5; stroke-dasharray: 5 3 }
    .mark { stroke: #1c2430; stroke-width: 2 }
    .daemon { fill: #1a56b8 }
    .client { fill: #7fb0ff }
    .floor { fill: #8b97a6 }
    .met { fill: #1e7a3c }
    .missed { fill: #c2410c }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0f141a }
      text { fill: #e6ebf2 }
      .note { fill: #a9b4c2 }
      .grid { stroke: #2c3642 }
      .line, .mark { stroke: #e6ebf2 }
      .daemon { fill: #6ea8ff }
      .client { fill: #2f5fa8 }
      .floor { fill: #66717f }
      .met { fill: #5fcf85 }
      .missed { fill: #ff9b6a }
    }
  `;

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
const fixed = (value: number): string => String(Math.round(value * 10) / 10);

const lengthOf = ({ segments }: Bar): number => segments.reduce((sum, { value }) => sum + value, 0);

/** The smallest number of 1, 2, 2.5, 5 times a power of ten that is not below. */
function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 2.5, 5, 10].find((step) => step * power >= value) ?? 10);
}

interface Axis {
  readonly at: (value: number) => number;
  readonly ticks: readonly number[];
}

function axisOf({ scale, bars, line }: Chart): Axis {
  const values = [...bars.flatMap((bar) => [lengthOf(bar), bar.mark ?? 0]), line ?? 0].filter(
    (value) => value > 0,
  );
  const [least, most] = [Math.min(...values, Infinity), Math.max(...values, 0)];
  if (!(most > 0)) return { at: () => LEFT, ticks: [] };
  if (scale === 'linear') {
    const step = niceAbove(most / TICKS);
    const end = Math.ceil(most / step) * step;
    const ticks = Array.from({ length: Math.round(end / step) + 1 }, (_, index) => index * step);
    return { at: (value) => LEFT + (value / end) * PLOT, ticks };
  }
  const [from, to] = [Math.floor(Math.log10(least) - 0.01), Math.ceil(Math.log10(most))];
  const ticks = Array.from({ length: to - from + 1 }, (_, index) => 10 ** (from + index));
  const share = (value: number) => (Math.log10(value) - from) / (to - from);
  return { at: (value) => LEFT + Math.max(0, value > 0 ? share(value) : 0) * PLOT, ticks };
}

function barLines(bar: Bar, index: number, { at }: Axis): string[] {
  const top = TOP + index * ROW;
  const base = top + BAR - 3;
  const lines = [`<text class="end" x="${LEFT - 8}" y="${base}">${escaped(bar.label)}</text>`];
  let sum = 0;
  for (const { value, colour } of bar.segments) {
    const from = sum === 0 ? LEFT : at(sum);
    sum += value;
    const width = Math.max(at(sum) - from, 0.5);
    lines.push(
      `<rect class="${colour}" x="${fixed(from)}" y="${top}" width="${fixed(width)}" height="${BAR}"/>`,
    );
  }
  if (bar.mark !== undefined) {
    const x = fixed(at(bar.mark));
    lines.push(`<line class="mark" x1="${x}" y1="${top - 3}" x2="${x}" y2="${top + BAR + 3}"/>`);
  }
  lines.push(`<text class="note" x="${WIDTH - RIGHT + 10}" y="${base}">${escaped(bar.text)}</text>`);
  return lines;
}

function legendLines(legend: NonNullable<Chart['legend']>): string[] {
  return legend.flatMap(([colour, text], index) => {
    const x = LEFT + index * 150;
    return [
      `<rect class="${colour}" x="${x}" y="54" width="12" height="12"/>`,
      `<text class="note" x="${x + 18}" y="64">${escaped(text)}</text>`,
    ];
  });
}

export function svgOf(chart: Chart): string {
  const { title, description, tick, bars, line, legend = [] } = chart;
  const axis = axisOf(chart);
  const bottom = TOP + bars.length * ROW;
  const vertical = (kind: string, x: string) =>
    `<line class="${kind}" x1="${x}" y1="${TOP - 6}" x2="${x}" y2="${bottom}"/>`;
  const lines = [
    `<rect class="page" width="100%" height="100%"/>`,
    `<text class="title" x="16" y="24">${escaped(title)}</text>`,
    `<text class="note" x="16" y="42">${escaped(description)}</text>`,
    ...legendLines(legend),
    ...axis.ticks.flatMap((value) => {
      const x = fixed(axis.at(value));
      return [
        vertical('grid', x),
        `<text class="note middle" x="${x}" y="${bottom + 16}">${escaped(tick(value))}</text>`,
      ];
    }),
    ...bars.flatMap((bar, index) => barLines(bar, index, axis)),
    ...(line === undefined ? [] : [vertical('line', fixed(axis.at(line)))]),
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom + 28}" role="img" aria-labelledby="title desc">`,
    `  <title id="title">${escaped(title)}</title>`,
    `  <desc id="desc">${escaped(description)}</desc>`,
    `  <style>${STYLE}</style>`,
    ...lines.map((each) => `  ${each}`),
    '</svg>',
    '',
  ].join('\n');
}
