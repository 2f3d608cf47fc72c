/** Clients that ask on each plane and never read: answers, lists and events collect until the daemon stops them. */
import { connect } from 'node:net';
import { join } from 'node:path';
import { connectControl } from '@vkmemd/client';
import { ADMIN_SOCKET, serviceDefinition } from '@vkmemd/proto';
import { SilentVmm } from '../../support/ivshmem-wire.js';
import { rawCall, rawSession } from '../../support/raw-http2.js';
import type { Behaviour } from '../behaviour.js';
import { rest } from '../rest.js';
import { allocateOwn, type Stage, wordFor } from '../stage.js';

const REFLECTION = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
/** A request of reflection: the file that has this symbol. */
const SYMBOL = 'vkmem.v1.MemoryService';
const PIPELINED = 200;
const EVENTS = 40;
const MAX_JOINED_MS = 1000;

interface Unread {
  readonly connections: number;
  readonly calls: number;
  readonly keepMs: number;
}

function lists(stage: Stage, { connections, calls, keepMs }: Unread): void {
  for (let at = 0; at < connections; at += 1) {
    const session = rawSession(stage.runtimeDir, 65_535);
    session.on('error', () => {}); // The front may close the connection.
    const { path } = serviceDefinition('MemoryService').ListAllocations ?? {};
    for (let call = 0; call < calls; call += 1) rawCall(session, path).on('error', () => {});
    stage.leave({ close: () => session.destroy() }, keepMs);
  }
}

function reflection(stage: Stage, { connections, calls, keepMs }: Unread): void {
  const symbol = Buffer.concat([Buffer.from([0x22, SYMBOL.length]), Buffer.from(SYMBOL)]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(symbol.length, 1);
  const message = Buffer.concat([head, symbol]);
  for (let at = 0; at < connections; at += 1) {
    const session = rawSession(stage.runtimeDir, 65_535);
    session.on('error', () => {});
    const headers = {
      ':method': 'POST',
      ':path': REFLECTION,
      'content-type': 'application/grpc',
      te: 'trailers',
    };
    const stream = session.request(headers);
    stream.on('error', () => {});
    stream.write(Buffer.concat(Array.from({ length: calls }, () => message)));
    stage.leave({ close: () => session.destroy() }, keepMs);
  }
}

function pages(stage: Stage, { connections, keepMs }: Unread): void {
  for (let at = 0; at < connections; at += 1) {
    const socket = connect(join(stage.runtimeDir, ADMIN_SOCKET));
    socket.on('error', () => {});
    socket.pause();
    socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(PIPELINED));
    stage.leave({ close: () => socket.destroy() }, keepMs);
  }
}

async function events(stage: Stage, { connections, keepMs }: Unread): Promise<void> {
  for (let at = 0; at < connections; at += 1) {
    const session = rawSession(stage.runtimeDir, 0);
    session.on('error', () => {});
    const { path } = serviceDefinition('MemoryService').WatchAllocations ?? {};
    rawCall(session, path).on('error', () => {});
    stage.leave({ close: () => session.destroy() }, keepMs);
  }
  const wire = await stage.greet();
  for (let at = 0; at < EVENTS; at += 1) {
    const { id, fds } = await allocateOwn(stage, wire, 1);
    for (const fd of fds) stage.drop(fd);
    await wire.ask({ free: { allocation: { id } } });
  }
}

/** Virtual machines that join and leave, of which none reads who the others are. */
async function machines(stage: Stage, { connections, keepMs }: Unread): Promise<void> {
  const wire = await stage.greet();
  const { id } = await allocateOwn(stage, wire, 4);
  const control = connectControl({ runtimeDir: stage.runtimeDir, reconnectMs: 0 });
  try {
    const { path } = await control.ivshmem.serve({ id }, { vectors: 2 });
    for (let at = 0; at < connections; at += 1) {
      const machine = new SilentVmm(path);
      stage.keep(machine);
      if (at % 2 === 1) stage.drop(machine);
    }
    await rest(Math.min(keepMs, MAX_JOINED_MS));
  } finally {
    await control.close();
  }
}

const PLANES = { lists, reflection, pages, events, machines } as const;

export const nonReaders: Behaviour<{ plane: string } & Record<keyof Unread, number>> = {
  name: 'non-readers',
  weight: 4,
  plan: (random) => ({
    plane: random.pick(Object.keys(PLANES)),
    connections: random.pick([1, 4, 12]),
    calls: random.pick([8, 64, 200]),
    keepMs: random.pick([100, 1000, 4000]),
  }),
  async perform(stage, { plane, ...unread }) {
    try {
      await PLANES[plane as keyof typeof PLANES](stage, unread);
    } catch (failure) {
      return `${plane} ${wordFor(failure)}`;
    }
    await rest(100);
    return plane;
  },
};
