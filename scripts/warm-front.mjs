/**
 * Runs the front's program once, as the core of a daemon would, with one gRPC call and one HTTP request, so that V8's
 * cached data has what it compiles for them.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import { encode, Listener, seqpacketPair, statusOf, VkmemError } from '@vkmemd/proto';
import { root } from './command.mjs';

/**
 * @param start Spawns the program with these fds as its standard streams and fd 3; returns the ChildProcess.
 * @returns nothing, or the reason why the cached data lacks what these requests compile.
 */
export async function warmFront(start) {
  const { Link } = await import(join(root, 'daemon/dist/link/link.js'));
  const folder = mkdtempSync(join(tmpdir(), 'vkmemd-front-'));
  const [ours, its] = seqpacketPair();
  const child = start(['ignore', 'ignore', 'inherit', its.fd]);
  its.close();
  const ended = once(child, 'exit').then(([code, signal]) => `it ended (${signal ?? code})`);
  let [resolvePresent, fail] = [() => {}, () => {}];
  const present = new Promise((resolve) => {
    resolvePresent = resolve;
  });
  const failed = new Promise((resolve) => {
    fail = resolve;
  });
  const answers = {
    GetBudget: () => ({ response: encode('GetBudgetResponse', {}), last: true }),
    GetHealth: () => ({ response: encode('GetHealthResponse', {}), last: true }),
  };
  const fault = { status: statusOf(new VkmemError('UNAVAILABLE', '')), last: true };
  const link = new Link(ours, 'ToFront', 'ToCore', {
    message: ({ id, body, call }) => {
      if (body === 'pong') resolvePresent();
      if (body === 'call') link.send({ id, answer: answers[call.method]?.() ?? fault });
    },
    ended: () => fail('its link ended'),
  });
  link.send({ ping: {} });
  let number = 0n;
  const listen = (name, plane) =>
    Listener.listen(
      { type: 'stream', path: join(folder, name) },
      {
        connection: (fd, { pidfd }) => {
          pidfd?.close();
          number += 1n;
          link.send({ caller: { number, plane, shown: 'warm', handshakeMs: 5000 } }, fd);
        },
        error: ({ message }) => fail(message),
      },
    );
  const listeners = [listen('control', 'PLANE_CONTROL'), listen('admin', 'PLANE_ADMIN')];
  const client = new Client(`unix:${folder}/control`, credentials.createInsecure());
  const asked = async () => {
    await present;
    const same = (bytes) => bytes;
    for (const method of ['GetBudget', 'ListDevices']) {
      const path = `/vkmem.v1.DeviceService/${method}`;
      await new Promise((done) => client.makeUnaryRequest(path, same, same, Buffer.alloc(0), done));
    }
    const page = request({ socketPath: join(folder, 'admin'), path: '/healthz', agent: false }).end();
    const [answer] = await once(page, 'response');
    answer.resume();
    await once(answer, 'end');
  };
  try {
    return await Promise.race([ended, failed, asked().catch(({ message }) => message)]);
  } finally {
    client.close();
    for (const listener of listeners) listener.close();
    link[Symbol.dispose]();
    await ended;
    rmSync(folder, { recursive: true, force: true });
  }
}
