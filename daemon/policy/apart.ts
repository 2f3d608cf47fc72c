/**
 * Parsing in a worker thread that lasts as long as the parsing, so that it does not block the event loop.
 */
import { Worker } from 'node:worker_threads';
import type { Parsed, Source } from './toml.js';

/** No execArgv: the process's own may be a debugger's or a test runner's. */
const OPTIONS = { execArgv: [] };

/** The trees of the sources, in the same order. @throws Error where the thread fails. */
export function parseApart(sources: readonly Source[]): Promise<Parsed[]> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./parser.js', import.meta.url), { ...OPTIONS, workerData: sources });
    worker.once('message', resolve);
    worker.once('messageerror', reject);
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`the parser's thread ended with ${code}`)));
  });
}
