/**
 * A front that was taken over: confined as the real one, it tries what it must not be able to do as soon as a
 * caller is connected, and acts as that caller. Prints, as JSON, name -> code of the error, or 'done'.
 *
 * Arguments: the runtime folder, the paths that it tries to open.
 */
import { spawnSync } from 'node:child_process';
import { openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect as connectStream, createServer } from 'node:net';
import { join } from 'node:path';
import {
  CONTROL_SOCKET,
  confine,
  decode,
  encode,
  errorOf,
  HANDOFF_SOCKET,
  OwnedFd,
  openSeqpacket,
} from '@vkmemd/proto';
import { Link } from 'vkmemd/dist/link/link.js';

const [runtimeDir = '', ...paths] = process.argv.slice(2);
const results: Record<string, string> = {};
const answered = new Map<bigint, (outcome: string) => void>();
let id = 0n;

/** Records how an attempt failed. */
async function attempt(name: string, work: () => unknown): Promise<void> {
  try {
    await work();
    results[name] = 'done';
  } catch (failure) {
    // Where a library gives it a code of its own, the cause has the errno.
    const { code, message, cause } = failure as Error & { code?: string; cause?: { code?: string } };
    results[name] = cause?.code ?? code ?? message;
  }
}

const opened = (socket: string): Promise<void> =>
  new Promise((resolve, reject) => {
    connectStream(socket).once('connect', resolve).once('error', reject);
  });

async function tryAll(): Promise<void> {
  const core = process.ppid;
  for (const path of [
    ...paths,
    ...['mem', 'environ', 'maps', 'fd/0', 'fd/3'].map((file) => `/proc/${core}/${file}`),
  ]) {
    await attempt(`open ${path.replace(String(core), 'CORE')}`, () => openSync(path, 'r'));
  }
  await attempt('list /proc/CORE/fd', () => readdirSync(`/proc/${core}/fd`));
  await attempt('read itself', () => readFileSync('/proc/self/status'));
  await attempt('write a file', () => writeFileSync(join(runtimeDir, 'written'), 'x'));
  await attempt('handoff socket', () => openSeqpacket(join(runtimeDir, HANDOFF_SOCKET)).close());
  await attempt('control socket', () => opened(join(runtimeDir, CONTROL_SOCKET)));
  await attempt(
    'listen',
    () =>
      new Promise((resolve, reject) => {
        createServer()
          .once('error', reject)
          .listen(join(runtimeDir, 'own.sock'), () => resolve(undefined));
      }),
  );
  await attempt('execute', () => {
    const { error } = spawnSync('/bin/true');
    if (error) throw error;
  });
  await attempt('signal the core', () => process.kill(core, 0));
  await attempt('kill the core', () => process.kill(core, 'SIGKILL'));
}

// All that it needs is loaded before it is confined.
encode('ToCore', { id: 1n, call: { caller: 1n, method: '' } });
decode('ToFront', encode('ToFront', { ping: {} }));
confine();

const link: Link<'ToCore', 'ToFront'> = new Link(new OwnedFd(3, 'link'), 'ToCore', 'ToFront', {
  message: (message, fd) => {
    if (message.ping) link.send({ id: message.id, pong: {} });
    const { answer } = message;
    if (answer?.last) answered.get(message.id)?.(answer.status ? errorOf(answer.status).code : 'done');
    if (message.caller && fd) void act(message.caller.number, fd);
  },
  ended: () => process.exit(0),
});

/** Calls as a caller. Resolves to 'done', or the code of the error. */
function call(caller: bigint, method: string, request: Uint8Array = Buffer.alloc(0)): Promise<string> {
  id += 1n;
  link.send({ id, call: { caller, method, request } });
  return new Promise((resolve) => answered.set(id, resolve));
}

async function act(caller: bigint, fd: OwnedFd): Promise<void> {
  await tryAll();
  const kinds = ['KIND_MAPPABLE'] as const;
  const allocation = { name: 'of-the-caller' };
  results['act as the caller: Allocate'] = await call(
    caller,
    'Allocate',
    encode('AllocateRequest', { sizeBytes: 4096n, kinds, ...allocation }),
  );
  results['act as the caller: Claim'] = await call(
    caller,
    'Claim',
    encode('ClaimRequest', { allocation, kinds }),
  );
  results['act as the caller: Free'] = await call(
    caller,
    'Free',
    encode('FreeAllocationRequest', { allocation }),
  );
  results['act as the caller: ListSessions'] = await call(caller, 'ListSessions');
  process.stdout.write(`${JSON.stringify(results)}\n`);
  fd.close();
  link.send({ hangup: { number: caller } });
}
