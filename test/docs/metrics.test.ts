/** docs/metrics.md: its table has every metric of a daemon in use, with its type and labels, and no other. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { get, labelNames, parseMetrics } from '../admin/support.js';
import { root, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';

const page = readFileSync(join(root, 'docs/metrics.md'), 'utf8');

t.test('the table has every metric, with its type and labels', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const wire = await HandoffWire.open(runtimeDir);
  await wire.ask({ allocate: { sizeBytes: 4096n, kinds: ['KIND_MAPPABLE'] } });
  wire.close();
  const families = parseMetrics((await get(runtimeDir, '/metrics')).text);
  const found = [...families].map(([name, family]) => `${name} ${family.type} ${labelNames(family).join()}`);
  const rows = [...page.matchAll(/^\| `(\w+)(?:\{([\w,]+)\})?` \| (\w+) \| /gm)];
  const reported = rows.map(([, name, labels = '', type]) => `${name} ${type} ${labels}`);
  t.strictSame(reported.sort(), found.sort());
});

t.test('the examples name existing metrics', async (t) => {
  const [, alerts = ''] = page.split('Worth an alert:');
  const names = [...alerts.matchAll(/vkmemd_\w+/g)].map(([name]) => name);
  t.ok(names.length >= 8);
  const table = page.slice(0, page.indexOf('**Operations**'));
  t.strictSame(
    names.filter((name) => !new RegExp(`\`${name}[{\`]`).test(table)),
    [],
  );
});
