/**
 * The tables of docs/virtualization.md against the code: every field of a backend's object, every handle type
 * with its number, every hint as it is typed, and the exact options of QEMU.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  describeForBackend,
  type Memory,
  qemuDoorbell,
  qemuOptions,
  RUTABAGA_HANDLE_TYPES,
} from '@vkmemd/client';
import { CATALOGUE, type Grant } from '@vkmemd/proto';
import t from 'tap';
import { root } from '../support/daemon.js';

/** The page, without the padding of its tables. */
const page = readFileSync(join(root, 'docs/virtualization.md'), 'utf8').replace(/ +\|/g, ' |');
/** Not exported by the package: internal to vkmemctl. */
const { allocCommand } = (await import(join(root, 'client/typescript/dist/cli/alloc.js'))) as {
  allocCommand(): { options: { long: string; flags: string }[] };
};

/** A grant as a backend receives it, without its fd. */
function described(grant: Partial<Grant>) {
  const bytes = Buffer.alloc(16);
  const size = { allocationSizeBytes: 4n << 20n, mapSizeBytes: 4n << 20n, fileSizeBytes: 4n << 20n };
  const whole = { fdCount: 1, deviceUuid: bytes, driverUuid: bytes, mapOffsetBytes: 0n, ...size, ...grant };
  const memory = { grants: [whole], allocation: { hints: null }, fd: () => undefined };
  const [object] = describeForBackend(memory as unknown as Memory);
  if (!object) throw new Error('the grant has no description');
  return object;
}
const mappable = { kind: 'KIND_MAPPABLE', dmaBufSync: false, cacheType: 'CACHE_TYPE_CACHED' } as const;

t.test("the table of fields equals the object's fields", async (t) => {
  const table = /\| field \|[\s\S]*?\n\n/.exec(page)?.[0] ?? '';
  const rows = [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, field]) => field);
  t.strictSame(rows, Object.keys(described(mappable)));
});

t.test("the tables of handle types and map_info equal the code's", async (t) => {
  for (const [name, value] of Object.entries(RUTABAGA_HANDLE_TYPES)) t.match(page, `\`${name}\` ${value} |`);
  const cases = [
    ['CACHED', 'ACCESS_READ_ONLY', 0x11],
    ['UNCACHED', 'ACCESS_READ_WRITE', 0x32],
    ['WRITE_COMBINED', 'ACCESS_READ_WRITE', 0x33],
    ['NONE', 'ACCESS_READ_WRITE', undefined],
  ] as const;
  for (const [cache, access, mapInfo] of cases) {
    const { rutabaga } = described({ ...mappable, cacheType: `CACHE_TYPE_${cache}`, access });
    t.equal(rutabaga.mapInfo, mapInfo, cache);
  }
  const dmaBuf = described({ ...mappable, dmaBufSync: true });
  t.match(dmaBuf.rutabaga, { handleType: 'RUTABAGA_MEM_HANDLE_TYPE_DMABUF', handleTypeValue: 2 });
  t.equal(dmaBuf.rutabaga.vulkanInfo, undefined);
  t.equal(qemuOptions(dmaBuf, { fd: 3, id: 'm' }), undefined);
  const imported = described({ kind: 'KIND_DMA_BUF', mapSizeBytes: 0n });
  t.match(imported.rutabaga, { handleTypeValue: 2, vulkanInfo: { device_id: {} } });
});

t.test('the hints are accepted as they are typed', async (t) => {
  const reported = [...page.matchAll(/^\| `(--[a-z-]+)(?: SIZE)?` \| `\w+` \|/gm)].map(([, flag]) => flag);
  const flags = allocCommand().options.map(({ long }) => long);
  t.equal(reported.length, 5);
  for (const flag of reported) t.ok(flags.includes(flag ?? ''), String(flag));
  const codes = page.match(/`[A-Z]+(?:_[A-Z]+)+`/g)?.map((word) => word.slice(1, -1)) ?? [];
  const others = /^(SCM_|RUTABAGA_|VIRTIO_|VFIO_|MFD_|OPAQUE_FD|DMA_BUF)/;
  for (const code of codes.filter((word) => !others.test(word))) t.ok(code in CATALOGUE, code);
});

t.test("the page shows QEMU's exact options", async (t) => {
  const writable = described({ ...mappable, access: 'ACCESS_READ_WRITE' });
  const options = qemuOptions(writable, { fd: 'N', id: 'm' });
  t.match(page, `\`${options?.object.replace(/size=\d+/, 'size=BYTES')}\``);
  for (const device of Object.values(options?.devices ?? {})) t.match(page, `\`${device}\``);
  const { chardev, device } = qemuDoorbell('PATH', 4, 'm');
  t.match(page, `\`-chardev ${chardev}\``);
  t.match(page, `\`${device.replace('vectors=4', 'vectors=V')}\``);
  const odd = { ...writable, size: 3n << 20n };
  t.strictSame(
    Object.keys(qemuOptions(odd, { fd: 3, id: 'm' })?.devices ?? {}),
    ['pc-dimm', 'virtio-pmem-pci', 'nvdimm'],
    'devices without a BAR',
  );
  const reading = { ...writable, access: 'ro' } as const;
  t.strictSame(qemuOptions(reading, { fd: 3, id: 'm' })?.devices, {
    nvdimm: 'nvdimm,id=m-dev,memdev=m,unarmed=on',
  });
});
