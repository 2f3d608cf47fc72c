/**
 * Connects to the handoff socket again and again, as fast as it can.
 *
 * Arguments: the runtime folder; `connect`, or `hello`, which begins a session each time. Prints `flooding` once it
 * has begun.
 */
import { join } from 'node:path';
import { Connection, encode, type OwnedFd, openSeqpacket, PROTOCOL_VERSION } from '@vkmemd/proto';

const [runtimeDir = '', way] = process.argv.slice(2);
const path = join(runtimeDir, 'handoff.sock');
const hello = encode('ClientMessage', { sequence: 1n, hello: { protocolVersion: PROTOCOL_VERSION } });
/** In one turn of the event loop. */
const AT_ONCE = 200;
const MAX_OPEN = 500;
const open: OwnedFd[] = [];

function greet(socket: OwnedFd): void {
  const ignore = () => {};
  const handlers = { message: () => connection.close(), fault: () => Buffer.alloc(0), close: ignore };
  const connection = new Connection(socket, handlers);
  connection.send(hello, []);
}

function flood(): void {
  for (let at = 0; at < AT_ONCE; at += 1) {
    try {
      const socket = openSeqpacket(path);
      if (way === 'hello') greet(socket);
      else open.push(socket);
    } catch {
      break; // The queue is full.
    }
    if (open.length > MAX_OPEN) open.shift()?.close();
  }
  setImmediate(flood);
}

flood();
process.stdout.write('flooding');
