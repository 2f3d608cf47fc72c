/**
 * A minute of chaos on lavapipe and one on the scripted layer (see main.ts). VKMEMD_SEED repeats a run; its
 * seed is printed with the figures. VKMEMD_CHAOS_MINUTES makes each longer.
 *
 * Latencies are printed as figures, since other processes of the machine change them too; `npm run chaos` ends
 * with 1 if one is above its limit.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { plainEnvironment, plainNode } from '../support/daemon.js';
import { DRIVERS, type DriverName } from './driver.js';
import type { Report } from './report.js';

const MAIN = fileURLToPath(new URL('main.js', import.meta.url));
const minutes = process.env.VKMEMD_CHAOS_MINUTES ?? '1';
const seed = process.env.VKMEMD_SEED ?? String(Date.now());

t.setTimeout((Number(minutes) + 3) * DRIVERS.length * 60_000);

async function chaos(t: Test, driver: DriverName): Promise<Report> {
  const args = [MAIN, '--json', '--driver', driver, '--seed', seed, '--minutes', minutes];
  const child = spawn(...plainNode(args), { env: plainEnvironment(), stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => void child.kill());
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const [code] = await once(child, 'close');
  if (code !== 0 && code !== 1) throw new Error(`seed ${seed}: the harness ended with ${code}`);
  return JSON.parse(output) as Report;
}

for (const driver of DRIVERS) {
  t.test(
    `every invariant holds under attack, on ${driver}`,
    { timeout: (Number(minutes) + 3) * 60_000 },
    async (t) => {
      const report = await chaos(t, driver);
      const { windows, audits, resident, latencies } = report;
      const all = Object.values(windows).reduce((sum, count) => sum + count);
      const worst = Math.max(...latencies.map(({ worstRatio }) => worstRatio));
      t.comment(
        `figure: chaos on ${driver}, seed ${seed}: ${report.actions} actions, p99 at most ${worst.toFixed(1)} x quiet in ${windows.judged} of ${all} windows, resident ${resident?.begin.total} kB, then ${resident?.end.total} kB`,
      );
      t.strictSame(report.breaches, [], `seed ${seed}: no invariant was violated`);
      if (report.breaches.length > 0) t.comment(report.lastActions.join('\n'));
      for (const slow of report.slow) t.comment(`figure: chaos on ${driver}, slow: ${slow}`);
      t.ok(report.actions > 0 && report.verifiedBytes > 0, 'attackers acted, and victims verified bytes');
      const { ways, without } = report.front;
      t.comment(
        `figure: chaos and the front, ${JSON.stringify(ways)}: ${without.requests} handoff requests without one, ` +
          `${without.slow} above 20 ms, ${without.longestMs.toFixed(1)} ms at most`,
      );
      t.ok(Object.keys(ways).length > 0, 'the front was disturbed');
      t.ok(audits.done > 0, `the account was checked ${audits.done} times`);
    },
  );
}
