/** Which daemon clients find: by options, by the environment, and where there are several. */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, connectControl } from '@vkmemd/client';
import t, { type Test } from 'tap';
import { asUser } from '../support/as-user.js';
import { plainEnvironment, root, startDaemon, temporaryFolder } from '../support/daemon.js';
import { runProgram } from '../support/program.js';
import { noOtherUser, OTHER_UID } from '../support/uid.js';

interface Place {
  readonly runtimeDir?: string;
  readonly handoffSocket?: string;
  readonly device?: string;
}
/** Not exported by the library. */
const { findDaemon } = (await import(join(root, 'client/typescript/dist/connection/discovery.js'))) as {
  findDaemon(
    place: Place,
    env?: Record<string, string>,
    system?: string,
  ): { handoff: string; control: string };
};
const VKMEMCTL = join(root, 'client/typescript/bin/vkmemctl.js');
const UUIDS = ['11112222-3333-4444-5555-666677778888', '9999aaaa-3333-4444-5555-666677778888'] as const;

/** A folder with files in place of sockets: nothing connects to them. */
function folderOf(t: Test, ...paths: readonly string[]): string {
  const folder = temporaryFolder(t);
  for (const path of paths) {
    mkdirSync(join(folder, path), { recursive: true });
    writeFileSync(join(folder, path, 'handoff.sock'), '');
  }
  return folder;
}

const socketsIn = (folder: string) => ({
  handoff: join(folder, 'handoff.sock'),
  control: join(folder, 'control.sock'),
});
const none = { VKMEMD_RUNTIME_DIR: '', XDG_RUNTIME_DIR: '', RUNTIME_DIRECTORY: '' };

t.test('a folder that is named is the only one', async (t) => {
  const [system, own, other] = [folderOf(t, '.'), folderOf(t, 'vkmemd'), folderOf(t, '.')];
  const env = { ...none, XDG_RUNTIME_DIR: own, VKMEMD_RUNTIME_DIR: other };
  t.same(findDaemon({ runtimeDir: '/a/b' }, env, system), socketsIn('/a/b'), 'by the option');
  t.same(findDaemon({}, env, system), socketsIn(other), 'by the variable');
  t.same(findDaemon({ runtimeDir: 'rel' }, env, system), socketsIn(join(process.cwd(), 'rel')));
  const beside = findDaemon({ handoffSocket: '/a/b/other.sock', runtimeDir: other }, env, system);
  t.same(beside, { handoff: '/a/b/other.sock', control: '/a/b/control.sock' }, 'by the handoff socket');
});

t.test('otherwise the first that has a socket', async (t) => {
  const [system, own, empty] = [folderOf(t, '.'), folderOf(t, 'vkmemd'), temporaryFolder(t)];
  const find = (folder: string, xdg: string) => findDaemon({}, { ...none, XDG_RUNTIME_DIR: xdg }, folder);
  t.same(find(system, own), socketsIn(system), "the system's");
  t.same(find(empty, own), socketsIn(join(own, 'vkmemd')), "the user's own");
  t.same(find(system, empty), socketsIn(system));
  for (const relative of ['', '.', 'run', '../run']) {
    const message = new RegExp(`No daemon was found in ${empty} \\(no socket\\)\\.`);
    t.throws(() => find(empty, relative), { code: 'UNAVAILABLE', message });
  }
  const unit = { ...none, RUNTIME_DIRECTORY: own };
  t.throws(() => findDaemon({}, unit, empty), { code: 'UNAVAILABLE' }, "a unit's own folder says nothing");
  const why = `\\(no such folder\\)`;
  const message = new RegExp(
    `${empty}/none ${why}, ${empty}/vkmemd ${why}\\. Start .* \\$VKMEMD_RUNTIME_DIR`,
  );
  t.throws(() => find(`${empty}/none`, empty), { message }, 'the error names all');
  writeFileSync(join(empty, 'file'), '');
  t.throws(() => find(join(empty, 'file'), ''), { message: /file \(not a folder\)/ });
  symlinkSync('/nowhere', join(empty, 'handoff.sock'));
  t.same(find(empty, own), socketsIn(empty), 'a link that dangles is there: the failure to connect names it');
});

t.test('one of several daemons is chosen by its device', async (t) => {
  const [first, second] = UUIDS;
  const one = folderOf(t, join('devices', first));
  const both = folderOf(t, ...UUIDS.map((uuid) => join('devices', uuid)));
  t.same(findDaemon({}, none, one), socketsIn(join(one, 'devices', first)), 'the only one');
  t.same(findDaemon({ runtimeDir: one }, none), socketsIn(join(one, 'devices', first)));
  const several = {
    code: 'INVALID_ARGUMENT',
    message: new RegExp(`${first}, ${second}`),
    metadata: { field: 'device' },
  };
  t.throws(() => findDaemon({}, none, both), several, 'the error names all');
  const forms = [
    second,
    '9999',
    '9999AAAA',
    second.replaceAll('-', ''),
    `GPU-${second}`,
    `gpu-${second.slice(0, 13)}`,
  ];
  for (const device of forms) {
    t.same(findDaemon({ device }, none, both), socketsIn(join(both, 'devices', second)), device);
  }
  const absent = {
    code: 'UNAVAILABLE',
    message: new RegExp(`device 7777 .* \\(devices: ${first}, ${second}\\)`),
  };
  t.throws(() => findDaemon({ device: '7777' }, none, both), absent);
  t.throws(() => findDaemon({ device: '1111' }, none, folderOf(t, '.')), { code: 'UNAVAILABLE' });
});

t.test('control requests go to the daemon beside the handoff socket', async (t) => {
  const [asked, other] = [await startDaemon(t), await startDaemon(t)];
  process.env.VKMEMD_RUNTIME_DIR = other.runtimeDir;
  t.teardown(() => delete process.env.VKMEMD_RUNTIME_DIR);
  await using client = await connect({ handoffSocket: join(asked.runtimeDir, 'handoff.sock') });
  await using memory = await client.allocate({ size: 4096, name: 'here' });
  t.match(await client.control.list(), [{ id: memory.allocation.id }]);
  await using control = connectControl();
  t.same(await control.list(), [], 'the variable names the other one');
  await memory.free();
});

t.test('a folder that may not be searched is named', { skip: noOtherUser ?? false }, async (t) => {
  const folder = folderOf(t, '.');
  chmodSync(folder, 0o700);
  const seen = await asUser({ uid: OTHER_UID, gid: OTHER_UID, groups: [] }, '../client/find-daemon.js', [
    folder,
  ]);
  t.match(seen, {
    code: 'UNAVAILABLE',
    reason: `No daemon was found in ${folder} (EACCES: it may not be searched).`,
  });
});

t.test('vkmemctl finds it likewise', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const ls = (env: Record<string, string>, ...args: readonly string[]) =>
    runProgram(process.execPath, [VKMEMCTL, 'ls', ...args], { ...plainEnvironment(), ...none, ...env });
  t.match(await ls({ VKMEMD_RUNTIME_DIR: runtimeDir }), { code: 0, stderr: '' });
  t.match(await ls({ XDG_RUNTIME_DIR: runtimeDir }), {
    code: 69,
    stderr: new RegExp(`${runtimeDir}/vkmemd`),
  });
  const chosen = await ls({ VKMEMD_RUNTIME_DIR: runtimeDir }, '--device', '7');
  t.match(chosen, { code: 69, stderr: new RegExp(`No daemon of device 7 was found in ${runtimeDir}`) });
});

t.test('a path that is too long is refused before a library cuts it', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const cut = join(runtimeDir, 'x'.repeat(107 - runtimeDir.length - 1));
  symlinkSync(join(runtimeDir, 'control.sock'), cut);
  await using control = connectControl({ controlSocket: `${cut}y` });
  const refused = { code: 'INVALID_ARGUMENT', message: /has 108 bytes; a socket path has 1 to 107 bytes/ };
  await t.rejects(control.list(), refused, 'the control socket');
  await t.rejects(connect({ handoffSocket: `${cut}y` }), refused, 'the handoff socket');
  await using short = connectControl({ controlSocket: cut });
  t.same(await short.list(), [], 'one of 107 bytes is served');
});
