/** The admin plane as an HTTP client sees it, and a strict parser of Prometheus' text formats. */
import { type IncomingHttpHeaders, request } from 'node:http';
import { join } from 'node:path';
import { ADMIN_SOCKET } from '@vkmemd/proto';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The text as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: each test states the fields that it expects
  json(): any;
}

export interface Asking {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

export const adminSocket = (runtimeDir: string): string => join(runtimeDir, ADMIN_SOCKET);

/**
 * Sends one request on a connection of its own. @param target a runtime folder, or `http://127.0.0.1:PORT`.
 */
export function get(target: string, path: string, { method = 'GET', headers = {}, body }: Asking = {}) {
  const { hostname, port } = target.startsWith('http')
    ? new URL(target)
    : { hostname: undefined, port: undefined };
  const where = hostname ? { host: hostname, port } : { socketPath: adminSocket(target) };
  return new Promise<Answer>((resolve, reject) => {
    const asked = request({ ...where, path, method, headers, agent: false, timeout: 30_000 }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      answer.once('error', reject);
      answer.once('end', () => {
        const { statusCode: status = 0, headers } = answer;
        resolve({ status, headers, text, json: () => JSON.parse(text) });
      });
    });
    asked.once('timeout', () => asked.destroy(new Error('no answer')));
    asked.once('error', reject);
    asked.end(body);
  });
}

/** One metric with its series, by their labels as written. */
export interface Family {
  readonly type: string;
  readonly help: string;
  readonly series: Map<string, number>;
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (NaN|[+-]Inf|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/;
const LABELS = /^(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*"(?:,(?!$)|$))*$/;

/** The names that series of a family may have. */
function namesOf(name: string, type: string, open: boolean): string[] {
  if (type === 'histogram') return ['_bucket', '_sum', '_count'].map((end) => name + end);
  return [open && type === 'counter' ? `${name}_total` : name];
}

/**
 * Parses an exposition. @param open whether it is OpenMetrics.
 * @throws Error if a line is invalid, a family is repeated or lacks HELP or TYPE, a series is repeated or
 * outside its family.
 */
export function parseMetrics(text: string, open = false): Map<string, Family> {
  const families = new Map<string, Family>();
  const fail = (line: string, why: string) => new Error(`${why}: ${line}`);
  let current: { name: string; family: Family } | undefined;
  let help: { name: string; text: string } | undefined;
  if (!text.endsWith(open ? '\n# EOF\n' : '\n')) throw new Error('the last line is missing or incomplete');
  const lines = text.slice(0, open ? -'# EOF\n'.length : undefined).split('\n');
  if (open && lines.slice(0, -1).includes('')) throw new Error('an empty line in OpenMetrics');
  for (const line of lines) {
    if (line === '') continue;
    const [, what, name = '', rest = ''] = /^# (HELP|TYPE) ([\w:]+) (.*)$/.exec(line) ?? [];
    if (what === 'HELP') {
      if (families.has(name)) throw fail(line, 'a repeated family');
      help = { name, text: rest };
    } else if (what === 'TYPE') {
      if (help?.name !== name || help.text === '') throw fail(line, 'no HELP before it');
      if (!['counter', 'gauge', 'histogram'].includes(rest)) throw fail(line, 'an unknown type');
      const family = { type: rest, help: help.text, series: new Map<string, number>() };
      current = { name, family };
      families.set(name, family);
    } else {
      const [, series = '', labels = '', value = ''] = SAMPLE.exec(line) ?? [];
      if (!series || !LABELS.test(labels)) throw fail(line, 'an invalid line');
      if (!current || !namesOf(current.name, current.family.type, open).includes(series)) {
        throw fail(line, 'outside its family');
      }
      const histogram = current.family.type === 'histogram';
      const key = histogram ? `${series.slice(current.name.length)} ${labels}` : labels;
      if (current.family.series.has(key)) throw fail(line, 'a repeated series');
      current.family.series.set(key, Number(value.replace('Inf', 'Infinity')));
    }
  }
  return families;
}

/** The label names of all series of the family, without `le`. */
export function labelNames({ series }: Family): string[] {
  const names = [...series.keys()].flatMap((key) =>
    [...key.matchAll(/(\w+)="/g)].map(([, name = '']) => name),
  );
  return [...new Set(names)].filter((name) => name !== 'le').sort();
}

/**
 * Scrapes. Returns a function from a metric's name and some labels to the sum of the matching series, 0 if
 * none.
 */
export async function scrape(
  target: string,
): Promise<(name: string, ...labels: readonly string[]) => number> {
  const { status, text } = await get(target, '/metrics');
  if (status !== 200) throw new Error(`/metrics was answered with ${status}: ${text}`);
  const families = parseMetrics(text);
  return (name, ...labels) => {
    const family = families.get(name);
    if (!family) throw new Error(`there is no metric ${name}`);
    const found = [...family.series].filter(([key]) => labels.every((label) => key.includes(label)));
    return found.reduce((sum, [, value]) => sum + value, 0);
  };
}
