/**
 * How the two guests of a cable meet: the peer connects over TCP and does what it is asked, one order at a time.
 * Each order, and each outcome, is a line of JSON. The peer ends when the connection does.
 */
import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { must, type Outcome } from './installed.js';
import type { Pattern } from './pattern.js';
import { softRoceOver } from './rdma.js';

export const OURS = '10.79.0.1';
export const THEIRS = '10.79.0.2';
const INTERFACE = 'eth0';
const PORT = 18514;
/** The largest payload of RoCE, 4096 bytes, with its headers. */
const MTU = '4500';
const RETRY_MS = 500;
const MEET_MS = 200_000;

export interface Order {
  readonly verb: 'read' | 'write';
  readonly bytes: number;
  readonly pattern: Pattern;
}

/** An outcome, and how long the program ran. */
export interface Done extends Outcome {
  readonly seconds: number;
}

/** Soft-RoCE over the cable. Address and interface are those of the guest, which ends after the test. */
export function overCable(t: Test, address: string): void {
  must('modprobe', 'virtio_net');
  must('udevadm', 'settle');
  must('ip', 'link', 'set', INTERFACE, 'mtu', MTU);
  softRoceOver(t, INTERFACE, address);
}

/** Waits for the peer's connection. It is closed when the test ends. @returns what passes it an order. */
export async function meetPeer(t: Test): Promise<(order: Order) => Promise<Done>> {
  const server = createServer();
  server.listen(PORT, OURS);
  const [socket]: Socket[] = await once(server, 'connection', { signal: AbortSignal.timeout(MEET_MS) });
  server.close();
  if (!socket) throw new Error('no connection');
  t.teardown(() => socket.destroy());
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  return async (order) => {
    socket.write(`${JSON.stringify(order)}\n`);
    const { done, value } = await lines.next();
    if (done) throw new Error('the peer ended');
    return JSON.parse(value);
  };
}

/** Connects as soon as the other guest listens. */
async function dial(): Promise<Socket> {
  for (const end = Date.now() + MEET_MS; ; ) {
    const socket = createConnection(PORT, OURS);
    try {
      await once(socket, 'connect');
      return socket;
    } catch (failure) {
      if (Date.now() > end) throw failure;
      await sleep(RETRY_MS);
    }
  }
}

/** Does what the other guest asks, until that ends. */
export async function obey(work: (order: Order) => Promise<Done>): Promise<void> {
  const socket = await dial();
  for await (const line of createInterface({ input: socket })) {
    socket.write(`${JSON.stringify(await work(JSON.parse(line)))}\n`);
  }
  socket.destroy();
}
