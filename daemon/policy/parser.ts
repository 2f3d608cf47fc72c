/**
 * The program of the parser's worker thread, which apart.ts starts. Trees are plain objects, so the
 * structured clone algorithm can copy them.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { parse, type Source } from './toml.js';

parentPort?.postMessage((workerData as Source[]).map(parse));
