/**
 * A worker thread that repeats calls which take a boolean until it is terminated. It posts `running` first.
 */
import { parentPort } from 'node:worker_threads';
import { Connection, seqpacketPair } from '@vkmemd/proto';

const [one] = seqpacketPair();
const connection = new Connection(one, { message() {}, close() {} });
parentPort?.postMessage('running');
for (;;) {
  connection.pause();
  connection.unref();
  connection.resume();
  connection.ref();
}
