/**
 * The read-only strength of a grant: with ENFORCED, no attack changes a byte; with ADVISORY, some do. The
 * grant must state neither more nor less than holds.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, ftruncateSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Client, connect, type Memory } from '@vkmemd/client';
import t, { type Test } from 'tap';
import { startDaemon } from '../support/daemon.js';
import { runNode } from '../support/program.js';
import { asOtherUser, noOtherUser, OTHER_UID } from '../support/uid.js';

interface Attacked {
  readonly readOnly: string;
  readonly results: Readonly<Record<string, string>>;
  readonly changed: readonly string[];
}

const uid = process.getuid?.() ?? 0;
const PROGRAM = fileURLToPath(new URL('../support/attacker.js', import.meta.url));
const SIZE = 65_536;
const python = spawnSync('python3', ['--version']);
const noPython = python.error ? `no python3 here: ${python.error.message}` : undefined;

interface Scene {
  readonly runtimeDir: string;
  readonly pid: number;
  readonly client: Client;
  /** Mapped by this process, and filled with 7s. */
  readonly memory: Memory;
  readonly bytes: Uint8Array;
}

/** A daemon whose policy lets another user read, and memory that may be published. */
async function start(t: Test): Promise<Scene> {
  const policy = `[[rule]]\nuid = ${OTHER_UID}\nconnect = true\nclaim_from = [${uid}]\n`;
  const { runtimeDir, pid } = await startDaemon(t, { policy });
  chmodSync(runtimeDir, 0o755);
  chmodSync(join(runtimeDir, 'handoff.sock'), 0o666);
  const client = await connect({ runtimeDir });
  const memory = await client.allocate({ size: SIZE, name: 'target', publishable: true });
  const { bytes } = memory.map();
  bytes.fill(7);
  return { runtimeDir, pid, client, memory, bytes };
}

async function end({ client, memory }: Scene): Promise<void> {
  await memory.free();
  await client.close();
}

const operands = ({ runtimeDir, pid }: Scene) => [
  runtimeDir,
  `${uid}/target`,
  String(pid),
  String(process.pid),
];

const attackedByOther = async (scene: Scene) =>
  (await asOtherUser('attacker.js', operands(scene))) as Attacked;

async function attackedBySame(scene: Scene): Promise<Attacked> {
  const { code, stdout, stderr } = await runNode([PROGRAM, ...operands(scene)]);
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Attacked;
}

const untouched = (bytes: Uint8Array) => bytes.every((byte) => byte === 7);

/** The attacks that fail on every read-only handle, with their errno. */
const REFUSED = {
  write: 'EBADF',
  map: 'EACCES',
  mprotect: 'EACCES',
  'own memory': 'EIO',
  remove: 'EACCES',
  punch: 'EBADF',
  splice: 'EBADF',
  sendfile: 'EBADF',
  seal: 'EPERM',
};

t.test(
  'ENFORCED: another user cannot change a read-only grant',
  { skip: noOtherUser ?? noPython ?? false },
  async (t) => {
    const scene = await start(t);
    const { readOnly, results, changed } = await attackedByOther(scene);
    t.equal(readOnly, 'READ_ONLY_STRENGTH_ENFORCED');
    t.strictSame(changed, [], 'no attack changed a byte');
    t.ok(untouched(scene.bytes), 'the owner sees the bytes unchanged');
    t.match(results, {
      ...REFUSED,
      chmod: 'EPERM',
      chown: 'EPERM',
      'reopen self': 'EACCES',
      'reopen process 0': 'EACCES',
      'reopen process 1': 'EACCES',
      'memory of process 0': 'EACCES',
      'memory of process 1': 'EACCES',
    });
    await end(scene);
  },
);

t.test(
  "ADVISORY: the daemon's own user can change a read-only grant",
  { skip: noPython ?? false },
  async (t) => {
    const scene = await start(t);
    const { readOnly, results, changed } = await attackedBySame(scene);
    t.equal(readOnly, 'READ_ONLY_STRENGTH_ADVISORY');
    t.match(results, REFUSED, 'the granted handle itself is read-only');
    t.equal(results['reopen self'], 'done', 'but the file can be reopened');
    for (const way of ['write self', 'map self']) t.ok(changed.includes(way), way);
    t.notOk(untouched(scene.bytes), 'and written to');
    t.match(results, { 'shrink self': 'EPERM', 'grow self': 'EPERM' }, 'its size cannot be changed');
    await end(scene);
  },
);

t.test('ENFORCED: after Publish, no user can change the memory', { skip: noPython ?? false }, async (t) => {
  const scene = await start(t);
  await scene.memory.publish();
  const { readOnly, results, changed } = await attackedBySame(scene);
  t.equal(readOnly, 'READ_ONLY_STRENGTH_ENFORCED');
  t.match(results, REFUSED);
  t.equal(results['reopen self'], 'done', 'the file can be reopened');
  t.match(
    results,
    {
      'write self': 'EPERM',
      'map self': 'EPERM',
      'mprotect self': 'EACCES',
      'own memory self': 'EIO',
      'remove self': 'EACCES',
      'punch self': 'EPERM',
      'splice self': 'EPERM',
      'sendfile self': 'EPERM',
      'seal self': 'EPERM',
      'shrink self': 'EPERM',
      'grow self': 'EPERM',
    },
    'but every attack through it fails',
  );
  const others = changed.filter((way) => !way.startsWith('memory of process'));
  t.strictSame(others, [], 'no handle changes a byte');
  if (uid === 0) {
    t.strictSame(
      changed,
      ['memory of process 0', 'memory of process 1'],
      'a user who controls them can write only the memory of processes that mapped it writable before',
    );
  }
  await end(scene);
});

t.test('ADVISORY: a handle that a driver exports', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using client = await connect({ runtimeDir });
  await using memory = await client.allocate({ size: SIZE, kinds: ['OPAQUE_FD'], access: 'ro' });
  t.match(memory.grants, [{ access: 'ACCESS_READ_ONLY', readOnly: 'READ_ONLY_STRENGTH_ADVISORY' }]);
  using fd = memory.fd('OPAQUE_FD');
  for (const size of [1, 1 << 30]) t.throws(() => ftruncateSync(fd.fd, size), 'its size is fixed');
});
