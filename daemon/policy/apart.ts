/**
 * Parsing in a thread of its own, which lasts as long as the parsing does: whatever it takes, the event loop goes on.
 */
import { Worker } from 'node:worker_threads';
import type { Parsed, Source } from './toml.js';

/** What a Worker is given; without what a debugger or a test runner has put into the process's own arguments. */
const OPTIONS = { execArgv: [] };

/** Every source's tree, in their order. @throws Error where the thread fails. */
export function parseApart(sources: readonly Source[]): Promise<Parsed[]> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./parser.js', import.meta.url), { ...OPTIONS, workerData: sources });
    worker.once('message', resolve);
    worker.once('messageerror', reject);
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`the parser's thread ended with ${code}`)));
  });
}
