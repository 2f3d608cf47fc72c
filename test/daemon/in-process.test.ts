/**
 * The daemon as a library: several in one process, each with a core of its own; a failed start leaves nothing
 * open; importing a module of the daemon has no side effect.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { connect } from '@vkmemd/client';
import t from 'tap';
import { startDaemon } from 'vkmemd';
import { until } from '../faults/support.js';
import { ControlWire } from '../support/control-wire.js';
import { driverUnderTest, NOTHING, plainEnvironment, root, temporaryFolder } from '../support/daemon.js';

process.env.VK_DRIVER_FILES = driverUnderTest();

const MIB = 1n << 20n;
const openFds = () => readdirSync('/proc/self/fd').length;

async function counts(runtimeDir: string) {
  const wire = new ControlWire(runtimeDir);
  try {
    return (await wire.call('GetBudget', {})).counts;
  } finally {
    wire.close();
  }
}

t.test('two daemons in one process share no state', async (t) => {
  const [one, other] = [temporaryFolder(t), temporaryFolder(t)];
  const before = openFds();
  const first = await startDaemon({ runtimeDir: one, adminListen: ['127.0.0.1:0'] });
  const second = await startDaemon({ runtimeDir: other });
  t.match(first.startLine, /^vkmemd \S+ ready: device /);
  {
    await using mine = await connect({ runtimeDir: one });
    await using theirs = await connect({ runtimeDir: other });
    const memory = await mine.allocate({ size: MIB, name: 'frames' });
    const same = await theirs.allocate({ size: 2n * MIB, name: 'frames' });
    memory.map().bytes.fill(7);
    t.equal(same.map().bytes[0], 0, 'the same name refers to other memory in the other daemon');
    t.match(await counts(one), { sessions: 1, allocations: 1 });
    await t.rejects(theirs.claim({ id: memory.allocation.id }), { code: 'NOT_FOUND' });
    await first.reload();
    await memory.free();
    await same.free();
  }
  await until('both hold nothing', async () =>
    (await Promise.all([counts(one), counts(other)])).every((each) => each?.sessions === 0),
  );
  t.match(await counts(one), NOTHING);
  await first[Symbol.asyncDispose]();
  t.equal(existsSync(join(one, 'handoff.sock')), false);
  t.match(await counts(other), NOTHING, 'the other daemon still serves');
  await first[Symbol.asyncDispose]();
  await second[Symbol.asyncDispose]();
  await until('no fd is left', () => openFds() <= before);
  const again = await startDaemon({ runtimeDir: one });
  await again[Symbol.asyncDispose]();
});

t.test('a failed start leaves nothing open', async (t) => {
  const runtimeDir = temporaryFolder(t);
  const running = await startDaemon({ runtimeDir });
  const before = openFds();
  await t.rejects(startDaemon({ runtimeDir }), { code: 'UNAVAILABLE' }, 'the folder is in use');
  const elsewhere = temporaryFolder(t);
  await t.rejects(startDaemon({ runtimeDir: elsewhere, device: 'no such device' }), {
    code: 'INVALID_ARGUMENT',
  });
  await t.rejects(startDaemon({ runtimeDir: elsewhere, adminListen: ['192.0.2.1:1'] }), {
    code: 'INVALID_ARGUMENT',
  });
  // A folder in place of a socket, which cannot be removed.
  mkdirSync(join(elsewhere, 'control.sock', 'x'), { recursive: true });
  await t.rejects(startDaemon({ runtimeDir: elsewhere }), { code: 'UNAVAILABLE' });
  await until('no fd is left', () => openFds() <= before);
  t.same(readdirSync(elsewhere).sort(), ['control.sock', 'vkmemd.lock'], 'and no socket');
  await running[Symbol.asyncDispose]();
});

t.test('importing a module has no side effect', async (t) => {
  const folder = join(root, 'daemon/dist');
  // Programs: they run when they are loaded.
  const programs = ['main.js', 'front/main.js', 'supervisor/main.js', 'policy/parser.js'];
  const modules = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.js') && !programs.includes(relative('.', name)))
    .sort();
  t.ok(modules.length > 150, `${modules.length} modules`);
  const script = `
    const { readdirSync, readlinkSync } = require('node:fs');
    const linkOf = (fd) => {
      try {
        return readlinkSync('/proc/self/fd/' + fd);
      } catch {
        return undefined; // the listing's own
      }
    };
    // libuv's own: its loops, and its reserve for EMFILE.
    const ours = (link) => link && link !== '/dev/null' && !link.startsWith('anon_inode:[event');
    const fds = () => readdirSync('/proc/self/fd').map(linkOf).filter(ours);
    (async () => {
      await import('@vkmemd/proto');
      const before = fds();
      for (const name of ${JSON.stringify(modules)}) await import(${JSON.stringify(folder)} + '/' + name);
      const handles = process._getActiveHandles().filter((handle) => handle.fd === undefined || handle.fd > 2);
      const listeners = process.eventNames().filter((name) => /^SIG|exit|uncaught/i.test(String(name)));
      console.log(JSON.stringify({ fds: fds().filter((link) => !before.includes(link)), handles: handles.length, listeners }));
    })();`;
  const { stdout, stderr } = await promisify(execFile)('node', ['-e', script], {
    cwd: join(root, 'daemon'),
    env: plainEnvironment(),
    timeout: 60_000,
  });
  t.equal(stderr, '');
  t.same(JSON.parse(stdout), { fds: [], handles: 0, listeners: [] });
});
