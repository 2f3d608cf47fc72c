/**
 * Writes the generated parts of docs/performance.md and its charts from the recorded reports.
 *
 *   npm run --silent docs:performance [-- REPORT...]
 *
 * REPORT is what `bench --json` or `bench:gpu --json` printed; it is recorded first. A test compares the files.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Report as GpuReport } from '../gpu/rows.js';
import type { Report } from '../report.js';
import * as cpu from './cpu.js';
import * as gpu from './gpu.js';
import { docs, PAGE, readReport, withPart, writeReport } from './page.js';

for (const path of process.argv.slice(2)) {
  const text = readFileSync(path, 'utf8');
  if ('rows' in JSON.parse(text)) writeReport('gpu', gpu.recorded(text));
  else writeReport('cpu', cpu.recorded(text));
}
const report = readReport<Report>('cpu');
let page = readFileSync(PAGE, 'utf8');
page = withPart(page, 'cpu', cpu.partOf(report));
page = withPart(page, 'gpu', gpu.partOf(readReport<GpuReport>('gpu')));
writeFileSync(PAGE, page);
for (const [name, chart] of cpu.chartsOf(report)) writeFileSync(docs(name), chart);
