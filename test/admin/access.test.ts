/**
 * Access to the pages: on the Unix socket for operators, decided by the kernel's credentials and the current
 * policy; by TCP, where it is configured, for every process on this host, and then only pages without data
 * about users.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import t from 'tap';
import { parseListenAddress } from 'vkmemd/dist/callers/listen-address.js';
import { ControlWire } from '../support/control-wire.js';
import { ANYBODY, daemonProgram, plainEnvironment, startDaemon, temporaryFolder } from '../support/daemon.js';
import { asOtherUser, noOtherUser, OTHER_UID, openToOthers } from '../support/uid.js';
import { adminSocket, get, parseMetrics } from './support.js';

const PAGES = [
  '/healthz',
  '/readyz',
  '/metrics',
  '/api/v1/devices',
  '/api/v1/budget',
  '/api/v1/allocations',
  '/api/v1/sessions',
  '/none',
];
const skip = noOtherUser ?? false;
const OPERATOR = `${ANYBODY}[[rule]]\nuid = ${OTHER_UID}\noperator = true\n`;

const asking = (runtimeDir: string) => asOtherUser('../admin/get-program.js', [runtimeDir, ...PAGES]);

t.test('only operators may read the pages; /healthz is open to all', { skip }, async (t) => {
  const { runtimeDir, config } = await startDaemon(t, { policy: ANYBODY });
  chmodSync(runtimeDir, 0o755);
  chmodSync(adminSocket(runtimeDir), 0o666);
  const denied = PAGES.slice(1, -1).map((page) => [page, [403, 'NOT_PERMITTED']]);
  t.strictSame(
    await asking(runtimeDir),
    { '/healthz': [200, null], ...Object.fromEntries(denied), '/none': [404, 'NOT_FOUND'] },
    'a tenant may read /healthz; every other page is refused',
  );
  const control = new ControlWire(runtimeDir);
  writeFileSync(config, OPERATOR);
  await control.call('ReloadPolicy', {});
  const served = Object.fromEntries(PAGES.map((page) => [page, [200, null]]));
  t.strictSame(
    await asking(runtimeDir),
    { ...served, '/none': [404, 'NOT_FOUND'] },
    'an operator by the policy',
  );
  writeFileSync(config, '[[rule]]\nuid = 0\noperator = false\n');
  await control.call('ReloadPolicy', {});
  t.match(
    (await get(runtimeDir, '/metrics')).json(),
    { code: 'NOT_PERMITTED' },
    'root, which the policy does not make an operator',
  );
  control.close();
});

t.test('a reloaded policy applies from the next request of an open connection', { skip }, async (t) => {
  const { runtimeDir, config } = await startDaemon(t);
  const socket = connect(adminSocket(runtimeDir)).setEncoding('utf8');
  const ask = async () => {
    socket.write('GET /api/v1/sessions HTTP/1.1\r\nHost: any\r\n\r\n');
    let text = '';
    while (!text.includes('}')) text += await new Promise<string>((resolve) => socket.once('data', resolve));
    return text;
  };
  t.match(await ask(), /^HTTP\/1\.1 200 /);
  writeFileSync(config, '[[rule]]\nuid = 0\noperator = false\n');
  const control = new ControlWire(runtimeDir);
  await control.call('ReloadPolicy', {});
  t.match(await ask(), /^HTTP\/1\.1 403 /);
  socket.destroy();
  control.close();
});

/** The listening TCP sockets of a process, by inode. */
function listening(pid: number): number {
  const inodes = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
    } catch {
      return undefined; // closed meanwhile
    }
  });
  const rows = ['tcp', 'tcp6'].flatMap((file) =>
    readFileSync(`/proc/${pid}/net/${file}`, 'utf8').split('\n'),
  );
  const LISTEN = '0A';
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter(([, , , state, , , , , , inode]) => state === LISTEN && inodes.includes(inode)).length;
}

t.test('the daemon listens on TCP only where it is configured', async (t) => {
  const { pid } = await startDaemon(t);
  t.equal(listening(pid), 0);
});

t.test('TCP serves only pages without data about users', async (t) => {
  const args = ['--admin-listen', '127.0.0.1:0', '--admin-listen', '127.0.0.2:0'];
  const { line, pid, runtimeDir } = await startDaemon(t, { args });
  const [, one = '', two = ''] = / (http:\/\/127\.0\.0\.1:\d+) (http:\/\/127\.0\.0\.2:\d+);/.exec(line) ?? [];
  t.equal(listening(pid), 2, line);
  for (const target of [one, two]) {
    const reported = await Promise.all(PAGES.map(async (page) => (await get(target, page)).status));
    t.strictSame(reported, [200, 200, 200, 403, 403, 403, 403, 404], 'only the first three pages are served');
  }
  t.ok(parseMetrics((await get(one, '/metrics')).text).has('vkmemd_ready'));
  const names = {
    localhost: 200,
    'localhost:9464': 200,
    '[::1]:1': 200,
    'example.org': 403,
    '127.0.0.1.example.org': 403,
  };
  for (const [host, status] of Object.entries(names)) {
    t.equal((await get(one, '/metrics', { headers: { host } })).status, status, `Host: ${host}`);
  }
  t.equal((await get(runtimeDir, '/api/v1/sessions')).status, 200, 'the Unix socket still serves all pages');
});

t.test(
  'the text of a policy that could not be read is for operators alone',
  { skip: noOtherUser ?? false },
  async (t) => {
    const policy = `[[rule]]\nuid = ${OTHER_UID}\nconnect = true\n`;
    const { line, config, runtimeDir } = await startDaemon(t, {
      args: ['--admin-listen', '127.0.0.1:0'],
      policy,
    });
    const [, tcp = ''] = / (http:\/\/127\.0\.0\.1:\d+);/.exec(line) ?? [];
    openToOthers(runtimeDir);
    writeFileSync(config, 'a-secret-name = 1\n');
    const control = new ControlWire(runtimeDir);
    await t.rejects(control.call('ReloadPolicy', {}), { code: 'POLICY_INVALID' });
    t.match((await control.call('GetStatus', {})).warnings, [
      { code: 'POLICY_INVALID', message: /a-secret-name/ },
    ]);
    control.close();
    t.match((await get(runtimeDir, '/readyz')).text, /a-secret-name/, 'an operator');
    const { text } = await get(tcp, '/readyz');
    t.match(text, /POLICY_INVALID/);
    t.notMatch(text, /a-secret-name/, 'by TCP');
    const told = JSON.stringify(await asOtherUser('status-of.js', [runtimeDir]));
    t.match(told, /POLICY_INVALID/);
    t.notMatch(told, /a-secret-name/, 'a tenant');
  },
);

t.test('only loopback addresses are valid for --admin-listen', async (t) => {
  t.strictSame(parseListenAddress('127.0.0.1:9464'), { host: '127.0.0.1', port: 9464 });
  t.strictSame(parseListenAddress('127.1.2.3:0'), { host: '127.1.2.3', port: 0 });
  t.strictSame(parseListenAddress('[::1]:9464'), { host: '::1', port: 9464 });
  t.strictSame(parseListenAddress('[0:0:0:0:0:0:0:1]:1').port, 1);
  for (const text of [
    '',
    ':9464',
    '9464',
    '127.0.0.1',
    '127.0.0.1:',
    '127.0.0.1:65536',
    '127.0.0.1:-1',
    '0.0.0.0:9464',
    '[::]:9464',
    '::1:9464',
    '10.0.0.1:9464',
    '[fe80::1]:9464',
    '[::ffff:127.0.0.1]:9464',
    'localhost:9464',
    'example.org:9464',
    '127.1:80',
    '[127.0.0.1]:80',
    '127.0.0.1:80 ',
    '127.0.0.1:0x50',
    '1127.0.0.1:80',
    '128.0.0.1:80',
  ]) {
    t.throws(
      () => parseListenAddress(text),
      { code: 'INVALID_ARGUMENT', metadata: { field: 'admin-listen' } },
      text,
    );
  }
});

t.test('the daemon does not start if it cannot listen on an address', async (t) => {
  const { line } = await startDaemon(t, { args: ['--admin-listen', '127.0.0.1:0'] });
  const [, taken = ''] = / http:\/\/(127\.0\.0\.1:\d+);/.exec(line) ?? [];
  for (const [address, status, said] of [
    [
      '0.0.0.0:9464',
      64,
      /^vkmemd: INVALID_ARGUMENT: --admin-listen: 0\.0\.0\.0:9464: The address must be a loopback address/,
    ],
    [taken, 1, /^vkmemd: UNAVAILABLE: The admin plane cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/],
  ] as const) {
    const folder = temporaryFolder(t);
    const args = [daemonProgram, '--runtime-dir', folder, '--config-root', folder, '--admin-listen', address];
    const ended = spawnSync(process.execPath, args, {
      encoding: 'utf8',
      env: plainEnvironment(),
      timeout: 60_000,
    });
    t.equal(ended.status, status);
    t.match(
      ended.stderr.split('\n').find((text) => text.startsWith('vkmemd: ')),
      said,
    );
    t.strictSame(
      readdirSync(folder).filter((name) => name.endsWith('.sock')),
      [],
      'and leaves no socket',
    );
  }
});
