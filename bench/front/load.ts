/**
 * A process that keeps the front busy in one way until its standard input ends: load.js RUNTIME_DIR KIND.
 *
 * budget    16 GetBudget calls under way
 * list      one ListAllocations call after the other
 * scrape    one request of /metrics after the other
 * watch     both in turns
 * pages     one page of 500 allocations after the other, as JSON
 */
import { request } from 'node:http';
import { join } from 'node:path';
import { connectControl } from '@vkmemd/client';
import { ADMIN_SOCKET } from '@vkmemd/proto';

const [runtimeDir = '', kind = ''] = process.argv.slice(2);

const control = connectControl({ runtimeDir, timeoutMs: 120_000 });

function page(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: join(runtimeDir, ADMIN_SOCKET), path }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part) => parts.push(part));
      answer.once('end', () => resolve(Buffer.concat(parts).toString()));
    });
    asked.once('error', reject);
    asked.end();
  });
}

let after = '';
const KINDS: Readonly<Record<string, readonly [atOnce: number, once: () => Promise<unknown>]>> = {
  budget: [16, () => control.budget()],
  list: [1, () => control.list()],
  scrape: [1, () => page('/metrics')],
  watch: [
    1,
    async () => {
      await control.list();
      await page('/metrics');
    },
  ],
  pages: [
    1,
    async () => {
      const { next } = JSON.parse(await page(`/api/v1/allocations?limit=500${after}`));
      after = next === null ? '' : `&after=${encodeURIComponent(next)}`;
    },
  ],
};

const [atOnce, once] = KINDS[kind] ?? [0, async () => {}];
if (atOnce === 0) throw new Error(`no load ${kind}`);
let stopped = false;
let done = 0;
process.stdin.once('end', () => {
  stopped = true;
});
process.stdin.resume();
await once();
process.stdout.write('ready\n');
await Promise.all(
  Array.from({ length: atOnce }, async () => {
    for (; !stopped; done += 1) await once();
  }),
);
await control.close();
process.stdout.write(`${done}\n`, () => process.exit(0));
