/**
 * Parses policy files in a worker thread, so that the event loop is not blocked. The thread ends when the
 * files are parsed.
 */
import { Worker } from 'node:worker_threads';
import type { Parsed, Source } from './toml.js';

/** No execArgv is inherited: it may contain options of a debugger or a test runner. */
const OPTIONS = { execArgv: [] };

/** @returns the trees of the sources, in the same order. @throws Error if the thread fails. */
export function parseApart(sources: readonly Source[]): Promise<Parsed[]> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./parser.js', import.meta.url), { ...OPTIONS, workerData: sources });
    worker.once('message', resolve);
    worker.once('messageerror', reject);
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`the parser's thread exited with status ${code}`)));
  });
}
