/**
 * The daemon is two processes: the core has loaded nothing that speaks gRPC or HTTP, and the front nothing
 * that touches the device, the memory or the ledger. The front is confined.
 */
import { mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { get } from 'node:http';
import { join, relative } from 'node:path';
import { ADMIN_SOCKET, allRead, Connection, encode, seqpacketPair } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { spawnFront } from 'vkmemd/dist/callers/front-process.js';
import { ControlWire } from '../support/control-wire.js';
import { assertNoLeaks, plainEnvironment, root, startDaemon, temporaryFolder } from '../support/daemon.js';
import { runNode } from '../support/program.js';
import { noOtherUser, OTHER_UID } from '../support/uid.js';
import { anotherFront, frontOf, linksOf, procFile, until } from './support.js';

const PACKAGES_OF_FRONT = '@grpc/(grpc-js|reflection)|grpc-health-check|@?fastify|typebox|prom-client';
/** What only the front may load: packages, and a folder of the daemon. */
const OF_FRONT = new RegExp(`node_modules/(${PACKAGES_OF_FRONT})\\b|daemon/dist/front/`);
/** What only the core may load. */
const OF_CORE =
  /node_modules\/(lmdb|unix-dgram)\b|daemon\/dist\/(memory|vulkan|store|policy|requests|callers|handoff)\//;

const fields = (text: string): Record<string, string> =>
  Object.fromEntries(
    [...text.matchAll(/^(\w+):\t(.*)$/gm)].map(([, name = '', value = '']) => [name, value]),
  );

const fetched = (runtimeDir: string, path: string): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    get({ socketPath: join(runtimeDir, ADMIN_SOCKET), path, agent: false }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode));
    }).once('error', reject);
  });

/** The scripts that programs have loaded which were run with NODE_V8_COVERAGE set to this folder. */
function scriptsIn(folder: string): string[] {
  const reports = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
  const urls = reports.flatMap((text) => (JSON.parse(text) as { result: { url: string }[] }).result);
  return urls.map(({ url }) => url.replace(/^file:\/\//, ''));
}

async function coverageOf(t: Test, use: (env: NodeJS.ProcessEnv) => Promise<void>): Promise<string[]> {
  const folder = mkdtempSync(join(temporaryFolder(t), 'scripts-'));
  await use({ NODE_V8_COVERAGE: folder });
  return scriptsIn(folder);
}

t.test('the core loads no gRPC, no HTTP and nothing of the front', async (t) => {
  const scripts = await coverageOf(t, async (env) => {
    const daemon = await startDaemon(t, { env });
    const control = new ControlWire(daemon.runtimeDir);
    await control.budget();
    control.close();
    t.equal(await fetched(daemon.runtimeDir, '/metrics'), 200, 'it serves both');
    await assertNoLeaks(t, daemon.runtimeDir);
    t.same(await daemon.stop(), { code: 0, signal: null });
  });
  const inRoot = scripts.filter((path) => path.startsWith(root)).map((path) => relative(root, path));
  t.ok(inRoot.length > 200, `${inRoot.length} scripts`);
  t.ok(
    inRoot.some((path) => OF_CORE.test(path)),
    'those of the core among them',
  );
  t.strictSame(
    inRoot.filter((path) => OF_FRONT.test(path)),
    [],
  );
});

t.test('the front is confined wholly before it reads its first message', async (t) => {
  const [socket, link] = seqpacketPair();
  const view = socket.dup();
  let pongs = 0;
  const message = () => {
    pongs += 1;
  };
  const core = new Connection(socket, { message, close: () => {} });
  core.send(encode('ToFront', { id: 1n, ping: {} }), []);
  const { pid = 0, exited } = spawnFront(link, 256 << 20);
  const filters = () => Number(fields(procFile(pid, 'status')).Seccomp_filters ?? 0);
  await until('the launcher has confined it', () => filters() > 0);
  const before = filters();
  t.notOk(allRead(view), 'the message waits while it starts');
  while (!allRead(view)) await new Promise(setImmediate);
  t.equal(filters(), before + 1, 'one more filter by the time that it reads');
  await until('it answers', () => pongs === 1);
  t.equal(filters(), before + 1, 'there is no other');
  core.close();
  view.close();
  await exited;
});

t.test('nor does the bundle of the core have any', async (t) => {
  const bundle = (name: string) => readFileSync(join(root, `daemon/dist/bundle/${name}.cjs`), 'latin1');
  const forbidden =
    /grpc-js|@grpc\/reflection|grpc-health-check|fastify|typebox|prom-client|daemon\/dist\/front\//;
  const modules = /require\(["'](node:)?(http|http2|https)["']\)/;
  t.notMatch(bundle('vkmemd'), forbidden);
  t.notMatch(bundle('vkmemd'), modules);
  t.match(bundle('front'), forbidden, 'that of the front has them');
  t.match(bundle('front'), modules);
  t.notMatch(bundle('front'), /daemon\/dist\/(memory|vulkan|store)\/|lmdb|vkmemd_vulkan/);
});

t.test('the front loads nothing of the device, the memory or the ledger', async (t) => {
  const scripts = await coverageOf(t, async (env) => {
    const url = JSON.stringify(new URL('../../../daemon/dist/front/front.js', import.meta.url).href);
    const script = `import(${url}).then(({ Front }) => Front.create(() => {})).then(() => process.exit(0));`;
    const { code, stderr } = await runNode(['--eval', script], { ...plainEnvironment(), ...env });
    t.equal(code, 0, stderr);
  });
  const inRoot = scripts.filter((path) => path.startsWith(root)).map((path) => relative(root, path));
  t.ok(
    inRoot.some((path) => OF_FRONT.test(path)),
    `${inRoot.length} scripts`,
  );
  t.strictSame(
    inRoot.filter((path) => OF_CORE.test(path)),
    [],
  );
});

t.test('the front is a process of its own, confined, with the link and connections alone', async (t) => {
  const daemon = await startDaemon(t);
  const front = await anotherFront(daemon);
  t.not(front, daemon.pid);
  const own = /^(anon_inode:\[event|\/dev\/null$|pipe:)/;
  const sockets = (links: Map<number, string>) => [...links].filter(([, to]) => to.startsWith('socket:'));
  const standard = (fd: number) => fd <= 2;
  const odd = (links: Map<number, string>) =>
    [...links].filter(([fd, to]) => !standard(fd) && fd !== 3 && !own.test(to));
  // While it starts, it reads its program.
  await until('all else is of its event loop', () => odd(linksOf(front)).length === 0);
  const idle = linksOf(front);
  t.match(idle.get(3), /^socket:/, 'the link');
  const idleSockets = sockets(idle).length;

  const control = new ControlWire(daemon.runtimeDir);
  await control.budget();
  t.equal(sockets(linksOf(front)).length, idleSockets + 1, 'a connection is an fd of the front');
  control.close();
  await until('the front closes it', () => sockets(linksOf(front)).length === idleSockets);
  t.equal(frontOf(daemon), front);

  const status = fields(procFile(front, 'status'));
  t.match(status, { Seccomp: '2', NoNewPrivs: '1' });
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
    if (set === 'CapBnd' && process.getuid?.() !== 0) continue;
    t.match(status[set], /^0{16}$/, set);
  }
  const score = (pid: number) => Number(procFile(pid, 'oom_score_adj'));
  t.ok(score(front) > score(daemon.pid), `oom_score_adj ${score(front)} and ${score(daemon.pid)}`);
  const maps = procFile(front, 'maps');
  t.match(maps, /vkmemd?_proto|proto\/native\/build/, 'it has mapped the addon of the sockets');
  t.notMatch(maps, /lmdb|libvulkan|lvp|vulkan\/native|unix.dgram/i);
  t.match(procFile(daemon.pid, 'maps'), /libvulkan/, 'which the core has');
  await assertNoLeaks(t, daemon.runtimeDir);
});

t.test(
  'the core is not dumpable: its memory and fds are not those of its user',
  {
    skip: noOtherUser ?? false,
  },
  async (t) => {
    const daemon = await startDaemon(t, { user: { uid: OTHER_UID, gid: OTHER_UID } });
    const front = await anotherFront(daemon);
    const ownerOf = (pid: number, name: string) => statSync(`/proc/${pid}/${name}`).uid;
    t.match(procFile(daemon.pid, 'status'), new RegExp(`^Uid:\\t${OTHER_UID}\\t`, 'm'));
    for (const name of ['mem', 'environ', 'fd', 'maps']) t.equal(ownerOf(daemon.pid, name), 0, name);
    t.equal(ownerOf(front, 'mem'), OTHER_UID, 'those of the front are: it runs as that user');
    await assertNoLeaks(t, daemon.runtimeDir);
  },
);

t.test(
  'the supervisor is not dumpable',
  {
    skip: noOtherUser ?? false,
  },
  async (t) => {
    const user = { uid: OTHER_UID, gid: OTHER_UID };
    const { pid, runtimeDir } = await startDaemon(t, { user, args: ['--supervisor'] });
    t.match(procFile(pid, 'cmdline'), /--supervisor/);
    t.match(procFile(pid, 'status'), new RegExp(`^Uid:\\t${OTHER_UID}\\t`, 'm'));
    for (const name of ['mem', 'environ', 'fd', 'maps']) {
      t.equal(statSync(`/proc/${pid}/${name}`).uid, 0, name);
    }
    await assertNoLeaks(t, runtimeDir);
  },
);
