/**
 * A client that makes the front grow: an operator's connections, of which it may have any number, each with calls that
 * it never ends.
 */

import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CONTROL_SOCKET, serviceDefinition } from '@vkmemd/proto';

/** The front refuses more than few such calls; what they cost until then is the connection's. */
const STREAMS = 8;

/** Enough for the largest limit of its memory that tests set. */
const MAX_CONNECTIONS = 3000;
const [AT_ONCE, PAUSE_MS] = [20, 20];
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
    for (let more = AT_ONCE; more > 0 && ends.length < MAX_CONNECTIONS; more -= 1)
      ends.push(grow(runtimeDir));
  }
  return end;
}

/** One connection. @returns ends it. */
function grow(runtimeDir: string): () => void {
  const session = connectHttp2('http://localhost', {
    createConnection: () => connect(join(runtimeDir, CONTROL_SOCKET)),
  });
  session.on('error', () => {});
  const path = serviceDefinition('DeviceService').GetBudget?.path;
  const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
  for (let i = 0; i < STREAMS; i += 1) session.request(headers).on('error', () => {});
  return () => session.destroy();
}
