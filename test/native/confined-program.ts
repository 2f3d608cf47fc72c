/**
 * Serves HTTP/2 on fd 3 after confine(). Answers each request with what works then: name -> 'ok', or the code
 * of the error. Started by the launcher.
 */
import { execFileSync } from 'node:child_process';
import { pbkdf2, randomBytes } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { openSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import { Socket } from 'node:net';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { gzip } from 'node:zlib';
import { confine } from '@vkmemd/proto/kernel';

const inWorker = (code: string): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(`require('node:worker_threads').parentPort.postMessage(${code})`, {
      eval: true,
    });
    worker.once('message', resolve).once('error', reject);
  });

const ATTEMPTS: Readonly<Record<string, () => unknown>> = {
  random: () => randomBytes(16),
  'thread pool': () => promisify(pbkdf2)('a', 'b', 1000, 32, 'sha256'),
  compression: () => promisify(gzip)('text'),
  timer: () => sleep(5),
  worker: () => inWorker('1'),
  'import of a builtin that was not loaded': () => import('node:dgram'),
  'local time': () => new Date(0).toString(),
  'signal to itself': () => process.kill(process.pid, 0),
  'resource usage': () => process.resourceUsage(),
  'stack trace': () => new Error('trace').stack,
  output: () => process.stdout.write('written\n'),
  'import of a file': () => import('@vkmemd/proto'),
  open: () => openSync('/dev/null', 'r'),
  'open in the thread pool': () => readFile('/dev/null'),
  'open in a worker': async () => {
    const code = await inWorker(`(() => {
      try { return require('node:fs').readFileSync('/dev/null') && 'ok'; } catch ({ code }) { return code; }
    })()`);
    if (code !== 'ok') throw Object.assign(new Error('in the worker'), { code });
  },
  program: () => execFileSync('/bin/true'),
  name: () => lookup('localhost'),
  'memory usage': () => process.memoryUsage(),
  processors: () => {
    if (cpus().length === 0) throw Object.assign(new Error('none'), { code: 'none' });
  },
  'signal to its parent': () => process.kill(process.ppid, 0),
};

async function outcomes(): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [name, attempt] of Object.entries(ATTEMPTS)) {
    try {
      await attempt();
      found[name] = 'ok';
    } catch (error) {
      found[name] = String((error as NodeJS.ErrnoException).code);
    }
  }
  return found;
}

// The thread pool and a worker have threads when the filter is set.
await promisify(pbkdf2)('a', 'b', 1, 32, 'sha256');
await inWorker('1');
readFileSync('/dev/null');
confine();
const server = createServer();
server.on('stream', async (stream: ServerHttp2Stream) => {
  stream.respond({ ':status': 200 });
  stream.end(JSON.stringify(await outcomes()));
});
const socket = new Socket({ fd: 3, readable: true, writable: true });
socket.once('close', () => process.exit(0));
server.emit('connection', socket);
