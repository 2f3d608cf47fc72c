/**
 * The program of the parser's thread: apart.ts starts it. Trees are plain objects, and travel as they are.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { parse, type Source } from './toml.js';

parentPort?.postMessage((workerData as Source[]).map(parse));
