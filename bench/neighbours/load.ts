/**
 * What a neighbour does, until its standard input ends: load.js RUNTIME_DIR KIND BYTES.
 *
 * connects  opens connections as fast as it can, and keeps the last 500 of them
 * hellos    the same with a Hello on each, which it closes once it is answered
 * churn     allocates BYTES, writes a byte to each page, and frees, over and over
 * allocates the same without writing
 *
 * Prints `ready` once it has done that once, and at the end how often it did.
 */
import { join } from 'node:path';
import { connect } from '@vkmemd/client';
import {
  Connection,
  encode,
  HANDOFF_SOCKET,
  type OwnedFd,
  openSeqpacket,
  PROTOCOL_VERSION,
} from '@vkmemd/proto';
import { isQueueFull } from '../wire.js';

const [runtimeDir = '', kind = '', bytes = '0'] = process.argv.slice(2);
const path = join(runtimeDir, HANDOFF_SOCKET);
const HELLO = encode('ClientMessage', { sequence: 1n, hello: { protocolVersion: PROTOCOL_VERSION } });
/** In one turn of the event loop. */
const AT_ONCE = 200;
const MAX_OPEN = 500;
const PAGE = 4096;

let stopped = false;
let done = 0;
process.stdin.once('end', () => {
  stopped = true;
});
process.stdin.resume();

const turn = () => new Promise((resolve) => setImmediate(resolve));

function did(): void {
  done += 1;
  if (done === 1) process.stdout.write('ready\n');
}

/** Connections whose Hello is not answered yet. */
let greeting = 0;

function greet(socket: OwnedFd): void {
  greeting += 1;
  const handlers = {
    message: () => connection.close(),
    fault: () => Buffer.alloc(0),
    close() {
      greeting -= 1;
    },
  };
  const connection = new Connection(socket, handlers);
  connection.send(HELLO, []);
}

async function flood(keep: (socket: OwnedFd) => void): Promise<void> {
  while (!stopped) {
    for (let at = 0; at < AT_ONCE && greeting < MAX_OPEN; at += 1) {
      try {
        keep(openSeqpacket(path));
      } catch (failure) {
        if (!isQueueFull(failure)) throw failure;
        break;
      }
      did();
    }
    await turn();
  }
}

async function churn(size: number, writes: boolean): Promise<void> {
  await using client = await connect({ runtimeDir, clientName: 'bench churn', timeoutMs: 60_000 });
  while (!stopped) {
    const memory = await client.allocate({ size });
    if (writes) {
      const { bytes: touched } = memory.map();
      for (let at = 0; at < size; at += PAGE) touched[at] = 1;
    }
    await memory.free();
    did();
  }
}

const open: OwnedFd[] = [];
const KINDS: Readonly<Record<string, () => Promise<void>>> = {
  connects: () =>
    flood((socket) => {
      open.push(socket);
      if (open.length > MAX_OPEN) open.shift()?.close();
    }),
  hellos: () => flood(greet),
  churn: () => churn(Number(bytes), true),
  allocates: () => churn(Number(bytes), false),
};
const work = KINDS[kind];
if (!work) throw new Error(`no load ${kind}`);
await work();
process.stdout.write(`${done}\n`, () => process.exit(0));
