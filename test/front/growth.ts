/** A client that makes the front grow: requests that it declares, sends nearly in full, and never ends. */

import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CONTROL_SOCKET, MAX_MESSAGE_BYTES, serviceDefinition } from '@vkmemd/proto';

/** gRPC buffers a request until its last byte. Both are what the front permits. */
const REQUEST_BYTES = MAX_MESSAGE_BYTES;
const STREAMS = 64;

/** Enough for the largest limit of its memory that tests set, and its default. */
const MAX_CONNECTIONS = 100;
const PAUSE_MS = 20;
const PATIENCE_MS = 30_000;

/** Makes the front grow until it is lost. @returns ends the connections. @throws Error after `patienceMs`. */
export async function growUntil(
  lost: () => boolean,
  runtimeDir: string,
  patienceMs = PATIENCE_MS,
): Promise<() => void> {
  const ends: (() => void)[] = [];
  const end = (): void => {
    for (const each of ends) each();
  };
  for (const last = performance.now() + patienceMs; !lost(); await sleep(PAUSE_MS)) {
    if (performance.now() > last) {
      end();
      throw new Error(`the front was not lost with ${ends.length} connections that make it grow`);
    }
    if (ends.length < MAX_CONNECTIONS) ends.push(grow(runtimeDir));
  }
  return end;
}

/** One connection with requests of 4 MiB in all. @returns ends it. */
function grow(runtimeDir: string): () => void {
  const session = connectHttp2('http://localhost', {
    createConnection: () => connect(join(runtimeDir, CONTROL_SOCKET)),
  });
  session.on('error', () => {});
  const path = serviceDefinition('DeviceService').GetBudget?.path;
  const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
  const message = Buffer.alloc(REQUEST_BYTES + 4);
  message.writeUInt32BE(REQUEST_BYTES, 1);
  for (let i = 0; i < STREAMS; i += 1) {
    const stream = session.request(headers);
    stream.on('error', () => {});
    stream.write(message);
  }
  return () => session.destroy();
}
