/**
 * A child of the supervisor that executes commands, in JSON lines on standard input, and reports each on
 * standard output. Its first line reports what it was started with.
 */
import { readSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { createMemfd, DatagramQueue, OwnedFd } from '@vkmemd/proto';
import { beginAsChild } from 'vkmemd/dist/supervisor/environment.js';
import { fdStoreCapacity, NotifyFdStore } from 'vkmemd/dist/systemd/fd-store.js';

export interface Order {
  /** A name and texts; each text is stored as memory. */
  readonly store?: readonly [string, readonly string[]];
  /** Kills itself with SIGKILL when that is stored. */
  readonly thenDie?: boolean;
  readonly remove?: string;
  /** Stores what it was started with again, under this name. */
  readonly restoreAs?: string;
  readonly settle?: boolean;
  readonly notify?: string;
  readonly exit?: number;
  readonly deaf?: boolean;
  /** Listens at the path and stores the socket under the name. */
  readonly listen?: readonly [string, string];
  /** Serves the inherited socket of that name. */
  readonly serve?: string;
}

const MAX_TEXT = 100;

beginAsChild(process.env);
const {
  LISTEN_PID,
  LISTEN_FDS = '0',
  LISTEN_FDNAMES,
  NOTIFY_SOCKET = '',
  WATCHDOG_USEC,
  WATCHDOG_PID,
} = process.env;
const names = LISTEN_FDNAMES?.split(':') ?? [];
const inherited = Array.from({ length: Number(LISTEN_FDS) }, (_, at) => new OwnedFd(3 + at, 'inherited'));
const store = new NotifyFdStore(NOTIFY_SOCKET, fdStoreCapacity(process.env), names);
const queue = new DatagramQueue(NOTIFY_SOCKET);

const say = (what: unknown) => writeSync(1, `${JSON.stringify(what)}\n`);

function textOf(fd: OwnedFd): string {
  const bytes = Buffer.alloc(MAX_TEXT);
  try {
    return bytes.toString('utf8', 0, readSync(fd.fd, bytes, 0, MAX_TEXT, 0));
  } catch {
    return 'not memory';
  }
}

async function memory(text: string): Promise<OwnedFd> {
  const fd = await createMemfd('stored', 4096n);
  writeSync(fd.fd, text.padEnd(MAX_TEXT, '.'), 0);
  return fd;
}

async function obey(order: Order): Promise<void> {
  if (order.store) {
    const [name, texts] = order.store;
    const fds = await Promise.all(texts.map(memory));
    await store.put(name, fds);
    if (order.thenDie) process.kill(process.pid, 'SIGKILL');
    for (const fd of fds) fd.close();
  }
  if (order.remove) await store.remove(order.remove);
  if (order.restoreAs) await store.put(order.restoreAs, inherited);
  if (order.notify) await queue.send(order.notify);
  if (order.settle) await store.settled();
  if (order.deaf) process.on('SIGTERM', () => say({ heard: 'SIGTERM' }));
  if (order.listen) {
    const [path, name] = order.listen;
    const server = createServer().listen(path);
    await new Promise((resolve) => server.once('listening', resolve));
    const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
    const copy = OwnedFd.duplicateOf(fd, 'listening');
    await store.put(name, [copy]);
    copy.close();
  }
  if (order.serve) {
    const at = names.indexOf(order.serve);
    createServer((socket) => socket.end(`served by ${process.pid}`)).listen({
      fd: inherited[at]?.take() ?? -1,
    });
  }
  if (order.exit !== undefined) process.exit(order.exit);
}

process.on('SIGHUP', () => say({ heard: 'SIGHUP' }));
say({
  pid: process.pid,
  mine: LISTEN_PID === undefined ? undefined : LISTEN_PID === String(process.pid),
  inherited: names.map((name, at) => [name, textOf(inherited[at] as OwnedFd).replace(/\.+$/, '')]),
  capacity: store.capacity,
  watchdog: WATCHDOG_USEC && [Number(WATCHDOG_USEC), WATCHDOG_PID === String(process.pid)],
  left: Object.keys(process.env).filter(
    (name) => name.startsWith('VKMEMD_KEEPER') || name.startsWith('VKMEMD_SUPERVISOR'),
  ),
});
const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  void obey(JSON.parse(line)).then(
    () => say({ done: JSON.parse(line) }),
    (failure) => say({ failed: String(failure) }),
  );
});
lines.on('close', () => setInterval(() => undefined, 1000));
