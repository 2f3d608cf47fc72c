/** Which daemon clients find: by options, by the environment, and where there are several. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, connectControl, type FoundDaemon } from '@vkmemd/client';
import t, { type Test } from 'tap';
import { asUser } from '../support/as-user.js';
import { plainEnvironment, root, startDaemon, temporaryFolder } from '../support/daemon.js';
import { runProgram } from '../support/program.js';
import { noOtherUser, OTHER_UID } from '../support/uid.js';

interface Place {
  readonly runtimeDir?: string;
  readonly handoffSocket?: string;
  readonly device?: string | number;
}
/** Not exported by the library. */
const { findDaemon, findDaemons } = (await import(
  join(root, 'client/typescript/dist/connection/discovery.js')
)) as {
  findDaemon(
    place: Place,
    env?: Record<string, string>,
    system?: string,
  ): { handoff: string; control: string };
  findDaemons(place: Place, env?: Record<string, string>): FoundDaemon[];
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

t.test('one of several daemons is chosen by the UUID of its device', async (t) => {
  const [first, second] = UUIDS;
  const one = folderOf(t, join('devices', first));
  const both = folderOf(t, ...UUIDS.map((uuid) => join('devices', uuid)));
  t.same(findDaemon({}, none, one), socketsIn(join(one, 'devices', first)), 'the only one');
  t.same(findDaemon({ runtimeDir: one }, none), socketsIn(join(one, 'devices', first)));
  t.same(findDaemon({ device: ' ' }, none, one), socketsIn(join(one, 'devices', first)), 'none is chosen');
  const list = UUIDS.map((uuid) => `not started \\(${uuid}, ${both}/devices/${uuid}\\)`).join('; ');
  const several = {
    code: 'INVALID_ARGUMENT',
    message: new RegExp(`${both} has daemons of several devices: ${list}\\. Choose one by`),
    metadata: { field: 'device' },
  };
  t.throws(() => findDaemon({}, none, both), several, 'the error names all');
  t.throws(() => findDaemon({ device: '' }, none, both), several);
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
  const absent = { code: 'UNAVAILABLE', message: new RegExp(`device 7777 .* \\(${list}\\)`) };
  t.throws(() => findDaemon({ device: '7777' }, none, both), absent);
  t.throws(() => findDaemon({ device: '99' }, none, both), { code: 'UNAVAILABLE' }, 'too few digits');
  t.throws(() => findDaemon({ device: 9 }, none, both), { code: 'UNAVAILABLE' }, 'an index is not a digit');
  t.throws(() => findDaemon({ device: '1111' }, none, folderOf(t, '.')), { code: 'UNAVAILABLE' });
  for (const device of [-1, 0.5, Number.NaN, {}, null]) {
    const wrong = { code: 'INVALID_ARGUMENT', message: /device: .* is neither a text nor an index/ };
    t.throws(() => findDaemon({ device } as Place, none, both), wrong, String(device));
  }
});

/** As a daemon writes it. */
function describe(
  folder: string,
  uuid: string,
  index: number,
  name: string,
  pciAddress: string | null = null,
) {
  mkdirSync(join(folder, 'about'), { recursive: true });
  const text = JSON.stringify({ uuid, index, name, type: 'discrete', pciAddress, daemonVersion: '1.2.3' });
  writeFileSync(join(folder, 'about/device.json'), text);
}

t.test('a device is also an index or a name, where the daemon describes it', async (t) => {
  const [first, second] = UUIDS;
  const third = '0000ffff-3333-4444-5555-666677778888';
  const at = (uuid: string) => join(folder, 'devices', uuid);
  const folder = folderOf(t, ...[first, second, third].map((uuid) => join('devices', uuid)));
  describe(at(first), first, 1, 'NVIDIA H200', '0000:c1:00.0');
  describe(at(second), second, 0, 'NVIDIA H200 NVL', '0000:41:00.0');
  const found = (device: string | number) => findDaemon({ device }, none, folder);
  const forms: [string | number, string][] = [
    [0, second],
    ['1', first],
    [1, first],
    ['nvidia h200', first],
    ['NVL', second],
    ['0000ffff', third],
  ];
  for (const [device, uuid] of forms) t.same(found(device), socketsIn(at(uuid)), String(device));
  const ambiguous = {
    code: 'INVALID_ARGUMENT',
    message: `device: 'H200' matches several devices of ${folder}: 1: NVIDIA H200 (${first}, ${at(first)}); 0: NVIDIA H200 NVL (${second}, ${at(second)}).`,
  };
  t.throws(() => found('H200'), { code: ambiguous.code, reason: ambiguous.message });
  t.throws(() => found(2), { code: 'UNAVAILABLE', message: /device 2 .*not started \(0000ffff/ });
  t.throws(() => found('20'), { code: 'UNAVAILABLE' }, 'a small number is no part of a name');
  t.throws(() => found('200'), { code: 'INVALID_ARGUMENT' }, 'a larger one is');
  t.throws(() => findDaemon({}, none, folder), { message: /not started .*1: NVIDIA H200 / }, 'all are named');
  writeFileSync(join(folder, 'handoff.sock'), '');
  t.throws(() => findDaemon({}, none, folder), { message: new RegExp(`UUID unknown, ${folder}\\);`) });
  describe(folder, 'GPU-ABCDABCD-3333-4444-5555-666677778888', 7, 'Radeon');
  t.same(found('radeon'), socketsIn(folder), 'one without a folder of its own, by its description');
  t.same(found('abcdabcd'), socketsIn(folder));
  const listed = findDaemons({ runtimeDir: folder }, none);
  t.match(listed, [
    { runtimeDir: at(second), uuid: second, device: { index: 0, pciAddress: '0000:41:00.0' } },
    { runtimeDir: at(first), uuid: first },
    { runtimeDir: folder, uuid: 'abcdabcd-3333-4444-5555-666677778888', device: { daemonVersion: '1.2.3' } },
    { runtimeDir: at(third), uuid: third, device: null },
  ]);
});

t.test('a file that is not a description is ignored', async (t) => {
  const [first] = UUIDS;
  const folder = folderOf(t, join('devices', first));
  const about = join(folder, 'devices', first, 'about');
  const path = join(about, 'device.json');
  const device = () => findDaemons({ runtimeDir: folder }, none)[0]?.device;
  describe(join(folder, 'devices', first), first, 3, 'a\u001b[2J\u202eb'.repeat(200));
  t.match(device(), { index: 3, name: /^(a\[2Jb)+/ }, 'control characters are removed');
  t.equal(device()?.name.length, 256);
  const good = { uuid: first, index: 0, name: '', type: 'cpu', pciAddress: null, daemonVersion: '' };
  writeFileSync(path, JSON.stringify(good));
  t.match(device(), { index: 0 });
  const faults = [
    { uuid: 'x' },
    { index: -1 },
    { index: '0' },
    { name: 1 },
    { type: 'GPU' },
    { pciAddress: '/etc' },
    { daemonVersion: null },
  ];
  for (const fault of faults) {
    writeFileSync(path, JSON.stringify({ ...good, ...fault }));
    t.equal(device(), null, JSON.stringify(fault));
  }
  for (const text of ['', 'null', '[]', '{', JSON.stringify(good).padEnd(5000)]) {
    writeFileSync(path, text);
    t.equal(device(), null, `${text.slice(0, 10)}, ${text.length} bytes`);
  }
  rmSync(path);
  writeFileSync(join(folder, 'elsewhere'), JSON.stringify(good));
  symlinkSync(join(folder, 'elsewhere'), path);
  t.equal(device(), null, 'a link is not followed');
  rmSync(path);
  execFileSync('mkfifo', [path]);
  t.equal(device(), null, 'and a FIFO is not waited for');
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
