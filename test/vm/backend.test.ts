/**
 * The description of each handle for a backend, compared with the grant; another user's process that maps by
 * it; and QEMU with the printed options, with the memory under every device that they name.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import {
  type Client,
  describeForBackend,
  type QemuOptions,
  qemuDoorbell,
  qemuOptions,
  RUTABAGA_HANDLE_TYPES,
} from '@vkmemd/client';
import { mapFd } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { parsed, vkmemctl } from '../cli/support.js';
import { connected, MIB } from '../client/support.js';
import { ANYBODY, startDaemon } from '../support/daemon.js';
import { asOtherUser, noOtherUser, OTHER_UID, openToOthers } from '../support/uid.js';

const QEMU = 'qemu-system-x86_64';
const noQemu = spawnSync(QEMU, ['--version']).error ? `there is no ${QEMU}` : false;

t.test('a backend gets a complete description of each handle', async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: ANYBODY });
  openToOthers(runtimeDir);
  const client = await connected(t, runtimeDir);
  await t.test('the description agrees with the grant', (t) => facts(t, client));
  await t.test("another user's backend", { skip: noOtherUser ?? false }, (t) =>
    otherUser(t, client, runtimeDir),
  );
  await t.test('vm describe prints the description', (t) => described(t, client, runtimeDir));
  await t.test('QEMU accepts the printed options', { skip: noQemu }, (t) => qemu(t, client));
});

async function facts(t: Test, client: Client): Promise<void> {
  const hints = { powerOfTwo: true };
  const memory = await client.allocate({ size: 3 * MIB, hints });
  await using device = await client.allocate({ size: 3 * MIB, kinds: ['OPAQUE_FD'], hints });
  const [mappable] = describeForBackend(memory);
  const [opaque] = describeForBackend(device);
  const [grant] = memory.grants;
  if (!mappable || !opaque || !grant) throw new Error('one handle each was to be described');
  const size = BigInt(4 * MIB);
  t.match(mappable, {
    kind: 'MAPPABLE',
    offset: 0n,
    size,
    mapSize: size,
    fileSize: size,
    cacheType: 'CACHED',
    access: 'rw',
    readOnly: undefined,
    memoryTypeIndex: grant.memoryTypeIndex,
    heapIndex: grant.heapIndex,
    memoryPropertyFlags: grant.memoryPropertyFlags,
    dedicated: false,
    vulkanHandleType: 0,
    reopenable: false,
    hugePageBytes: 0n,
    rutabaga: { handleType: 'RUTABAGA_MEM_HANDLE_TYPE_SHM', handleTypeValue: 4, mapInfo: 0x31 },
  });
  t.equal(mappable.rutabaga.vulkanInfo, undefined, 'it is mapped by its fd');
  const [info] = (await client.devices()).devices;
  t.match(mappable.deviceUuid.text, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  t.same(mappable.deviceUuid.bytes, info?.deviceUuid);
  t.same(mappable.driverUuid.bytes, info?.driverUuid);
  t.match(opaque, { kind: 'OPAQUE_FD', size, mapSize: 0n, vulkanHandleType: 1 });
  t.equal(opaque.rutabaga.handleTypeValue, RUTABAGA_HANDLE_TYPES.RUTABAGA_MEM_HANDLE_TYPE_OPAQUE_FD);
  t.same(opaque.rutabaga.vulkanInfo, {
    memory_idx: device.allocation.memoryTypeIndex,
    device_id: { device_uuid: grant.deviceUuid, driver_uuid: grant.driverUuid },
  });
  t.equal(qemuOptions(opaque, { fd: 3, id: 'x' }), undefined, 'QEMU cannot use it');

  memory.map({ length: 1 }).bytes[0] = 5;
  await memory.free();
  const { fd, offset } = mappable;
  const mapping = mapFd(fd, { offset, length: 4 * MIB, access: 'rw' });
  t.equal(new Uint8Array(mapping.buffer)[0], 5, 'the receiver owns the fd, which may outlive the memory');
  mapping.unmap();
  fd.close();
  opaque.fd.close();
  t.throws(() => describeForBackend(memory), { code: 'NOT_FOUND' });
  const options = qemuDoorbell('/run/a,b.sock', 4, 'iv');
  t.same(options, {
    chardev: 'socket,id=iv-chr,path=/run/a,,b.sock',
    device: 'ivshmem-doorbell,id=iv-dev,chardev=iv-chr,vectors=4',
  });
}

async function otherUser(t: Test, client: Client, runtimeDir: string): Promise<void> {
  const memory = await client.allocate({ size: 4096, name: 'lent' });
  memory.map().bytes[0] = 17;
  const { secret } = await memory.createTicket();
  const reported = await asOtherUser('../vm/other-backend.js', [runtimeDir, secret]);
  t.match(reported, [{ access: 'ro', readOnly: 'ENFORCED', first: 17, again: 'open EACCES' }]);
  await memory.free();
}

async function described(t: Test, client: Client, runtimeDir: string): Promise<void> {
  const hints = { powerOfTwo: true, reopenable: true };
  const memory = await client.allocate({ size: 3 * MIB, name: 'bar', hints });
  await using device = await client.allocate({ size: MIB, kinds: ['OPAQUE_FD'], name: 'device' });
  const run = (...args: string[]) => vkmemctl(runtimeDir, 'vm', 'describe', ...args);
  const { allocation, objects } = parsed(await run('bar', '--json'));
  t.same(allocation, { id: memory.id, name: 'bar' });
  t.match(objects, [
    {
      kind: 'MAPPABLE',
      size: 4 * MIB,
      cacheType: 'CACHED',
      reopenable: true,
      rutabaga: { mapInfo: 0x31, vulkanInfo: null },
      qemu: { object: `memory-backend-file,id=mem0,mem-path=/proc/self/fd/N,size=${4 * MIB},share=on` },
    },
  ]);
  const device_id = { device_uuid: objects[0].deviceUuid, driver_uuid: objects[0].driverUuid };
  t.match(parsed(await run(device.id, '--json')).objects, [
    {
      kind: 'OPAQUE_FD',
      mapSize: 0,
      rutabaga: { handleTypeValue: 1, vulkanInfo: { device_id } },
      qemu: null,
    },
  ]);
  const text = await run('bar', '--kind', 'mappable', '--read-only');
  t.match(text, { code: 0, stdout: /^MAPPABLE, read-only \(ADVISORY\)\n/, stderr: '' });
  t.match(text.stdout, /^map_info +0x11, VmMemorySource::Descriptor$/m);
  t.match(
    text.stdout,
    /^QEMU +-object memory-backend-file,.*,share=on,readonly=on\n +-device nvdimm,.*,unarmed=on$/m,
  );
  t.equal((await client.get(memory)).grants, 1, 'the command released its claims');
  t.match(await run('none'), {
    code: 1,
    stderr: /^vkmemctl: NOT_FOUND: /,
  });
  await memory.free();
  await device.free();
}

/**
 * QEMU without a guest, as another user where possible; ask() sends a QMP command and resolves to its answer.
 */
function machine(args: readonly string[], fds: readonly number[]) {
  const user = noOtherUser ? {} : { uid: OTHER_UID, gid: OTHER_UID };
  const still = ['-accel', 'tcg', '-S', '-nodefaults', '-display', 'none', '-qmp', 'stdio'];
  const memory = ['-machine', 'pc,nvdimm=on', '-m', '64M,slots=4,maxmem=1G'];
  const child = spawn(QEMU, [...still, ...memory, ...args], {
    stdio: ['pipe', 'pipe', 'pipe', ...fds],
    ...user,
  });
  let complaint = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  const lines = createInterface({ input: child.stdout ?? process.stdin })[Symbol.asyncIterator]();
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  // biome-ignore lint/suspicious/noExplicitAny: QMP's answers have no types here
  const ask = async (execute: string, operands?: object): Promise<any> => {
    child.stdin?.write(`${JSON.stringify({ execute, arguments: operands })}\n`);
    for (;;) {
      const { value, done } = await lines.next();
      if (done) throw new Error(`QEMU ended: ${complaint}`);
      const { return: answer, error } = JSON.parse(value);
      if (error) throw new Error(error.desc);
      if (answer !== undefined) return answer;
    }
  };
  return { ask, ended };
}

async function qemu(t: Test, client: Client): Promise<void> {
  const memory = await client.allocate({
    size: 4 * MIB,
    name: 'ram',
    hints: { powerOfTwo: true, reopenable: true },
  });
  const { bytes } = memory.map();
  bytes.set([1, 2, 3, 4]);
  const reader = await client.claim({ name: 'ram' }, { access: 'ro' });
  const [writable] = describeForBackend(memory);
  const [readable] = describeForBackend(reader);
  if (!writable || !readable) throw new Error('one handle each was to be described');
  const all: QemuOptions['devices'] = qemuOptions(writable, { fd: 3, id: 'm' })?.devices ?? {};
  const names = Object.keys(all);
  t.same(names, ['ivshmem-plain', 'pc-dimm', 'virtio-pmem-pci', 'nvdimm']);
  // A backend is for one device; several may open one fd.
  const words = [
    ...names.map((name) => [name, qemuOptions(writable, { fd: 3, id: `m-${name}` })] as const),
    ['nvdimm', qemuOptions(readable, { fd: 4, id: 'm-ro' })] as const,
  ].flatMap(([name, options]) => [
    '-object',
    options?.object ?? '',
    '-device',
    options?.devices[name as keyof typeof all] ?? '',
  ]);
  const { ask, ended } = machine(words, [writable.fd.fd, readable.fd.fd]);
  await ask('qmp_capabilities');
  const plugged: { type: string; data: { memaddr?: number; addr?: number } }[] =
    await ask('query-memory-devices');
  t.same(plugged.map(({ type }) => type).sort(), ['dimm', 'nvdimm', 'nvdimm', 'virtio-pmem']);
  for (const { type, data } of plugged) {
    const at = data.addr ?? data.memaddr ?? 0;
    const text = await ask('human-monitor-command', { 'command-line': `xp /4xb 0x${at.toString(16)}` });
    t.match(text, /: 0x01 0x02 0x03 0x04/, `${type}: the worker's bytes are there`);
  }
  await memory.release();
  await reader.release();
  writable.fd.close();
  readable.fd.close();
  t.equal((await client.free({ name: 'ram' })).freed, false, 'QEMU holds it');
  await ask('quit');
  t.equal(await ended, 0);
}
