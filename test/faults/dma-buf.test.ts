/**
 * Dma-bufs on a fake driver that supports them: as DMA_BUF, as MAPPABLE where memfds cannot be imported, and
 * where the kernel cannot map them.
 */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parsed, vkmemctl } from '../cli/support.js';
import { plainEnvironment, plainNode } from '../support/daemon.js';
import { FakeLayer } from '../support/fake-layer.js';
import {
  allocate,
  claim,
  type FakeHost,
  mapped,
  onFake,
  PAGE,
  refusalOf,
  release,
  reportOn,
  SIZE,
  wireKinds,
} from './support.js';

const DMA_BUF = 512; // VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT
const dmaBuf = wireKinds('DMA_BUF');
const mappable = wireKinds('MAPPABLE');

/** The daemon's fds of fake dma-bufs. */
function dmaBufsOf({ daemon }: FakeHost): { cloexec: boolean }[] {
  const folder = `/proc/${daemon.pid}`;
  const fds = readdirSync(`${folder}/fd`).filter((fd) =>
    readlinkSync(`${folder}/fd/${fd}`).includes('fake-dma-buf'),
  );
  return fds.map((fd) => {
    const flags = /^flags:\s+(\d+)/m.exec(readFileSync(`${folder}/fdinfo/${fd}`, 'utf8'))?.[1] ?? '0';
    return { cloexec: (Number.parseInt(flags, 8) & 0o2000000) !== 0 };
  });
}

t.test('DMA_BUF: each grant is exported separately, and the daemon keeps no fd of it', async (t) => {
  await onFake(t, ['dma_buf present'], async (host) => {
    t.match(await reportOn(host, 'DMA_BUF'), {
      rung: 'RUNG_VERIFIED',
      via: 'VK_EXT_external_memory_dma_buf',
      reason: /read through an import of the fd/,
    });
    const wire = await host.session();
    const probed = host.layer.calls('vkGetMemoryFdKHR').length;
    const before = dmaBufsOf(host).length;
    const made = await allocate(wire, { sizeBytes: 5000n, kinds: dmaBuf });
    t.match(made.grants[0], {
      kind: 'KIND_DMA_BUF',
      fdCount: 1,
      mapSizeBytes: 0n,
      vulkanHandleType: DMA_BUF,
      handleTypes: DMA_BUF,
      allocationSizeBytes: 8192n,
      dmaBufSync: false,
      remoteAddress: 0n,
    });
    const second = await claim(wire, made.id, 'DMA_BUF');
    t.equal(host.layer.calls('vkGetMemoryFdKHR').length, probed + 2, 'each has an export of its own');
    await host.fill(made.id, 0x07070707);
    t.ok((await host.bytesOf(wire, made.id, 8192n)).equals(Buffer.alloc(8192, 7)));
    const held = dmaBufsOf(host);
    t.ok(held.length <= before + 1, 'the sent fds were closed; one is the memory itself');
    t.ok(
      held.every(({ cloexec }) => cloexec),
      'a program that the daemon starts inherits none',
    );
    for (const fd of second.fds) fd.close();
    await wire.ask({ release: { grantId: second.grants[0]?.id ?? 0n } });
    await release(made);
  });
});

t.test('where the kernel counts no holders, only grants hold a freed dma-buf', async (t) => {
  await onFake(t, ['dma_buf present'], async (host) => {
    t.notMatch((await reportOn(host, 'DMA_BUF')).reason, /counts its holders/);
    const wire = await host.session();
    const before = dmaBufsOf(host).length;
    const { id, fds } = await allocate(wire, { sizeBytes: PAGE, kinds: dmaBuf });
    const exported = host.layer.calls('vkGetMemoryFdKHR').length;
    const { message } = await wire.ask({ free: { allocation: { id } } });
    t.match(message.free, { freed: true, allocation: { state: 'ALLOCATION_STATE_FREED' } });
    t.equal(host.layer.calls('vkGetMemoryFdKHR').length, exported, 'nothing more is exported');
    t.equal(dmaBufsOf(host).length, before, 'the daemon keeps no fd of it');
    for (const fd of fds) fd.close();
  });
});

t.test('MAPPABLE memory is a memfd alone, and a dma-buf together with DMA_BUF', async (t) => {
  await onFake(t, ['dma_buf present'], async (host) => {
    const wire = await host.session();
    t.match(await reportOn(host, 'MAPPABLE'), { rung: 'RUNG_VERIFIED', via: /^memfd/ });
    const alone = await allocate(wire, { sizeBytes: SIZE, kinds: mappable });
    t.match(alone.grants[0], { dmaBufSync: false, handleTypes: 0 });
    await release(alone);
    const kinds = wireKinds('MAPPABLE', 'DMA_BUF');
    const both = await allocate(wire, { sizeBytes: SIZE, kinds, access: 'ACCESS_READ_ONLY' });
    const readOnly = 'READ_ONLY_STRENGTH_ADVISORY';
    t.match(both.grants, [
      { kind: 'KIND_MAPPABLE', dmaBufSync: true, handleTypes: DMA_BUF, mapSizeBytes: SIZE, readOnly },
      { kind: 'KIND_DMA_BUF', dmaBufSync: false, handleTypes: DMA_BUF, mapSizeBytes: 0n, readOnly },
    ]);
    await host.fill(both.id, 0x22222222);
    const view = mapped(both);
    t.ok(
      Buffer.from(view.buffer).equals(Buffer.alloc(Number(SIZE), 0x22)),
      "the device's writes are visible",
    );
    view.unmap();
    await release(both);
    const opaque = wireKinds('OPAQUE_FD', 'DMA_BUF');
    const refusal = await refusalOf(allocate(wire, { sizeBytes: PAGE, kinds: opaque }));
    t.match(refusal, { code: 'KIND_UNSUPPORTED', metadata: { missing: 'export' }, reason: /not compatible/ });
  });
});

t.test('a request that only a memfd satisfies does not fall back to a dma-buf', async (t) => {
  await onFake(t, ['dma_buf present'], async (host) => {
    const wire = await host.session();
    const kinds = wireKinds('MAPPABLE', 'DMA_BUF');
    const name = 'sealed';
    for (const wish of [
      { publishable: true, name },
      { hints: { prefault: true } },
      { hints: { reopenable: true } },
    ]) {
      const refusal = await refusalOf(allocate(wire, { sizeBytes: PAGE, kinds, ...wish }));
      t.match(refusal, { code: 'KIND_UNSUPPORTED', metadata: { missing: 'export' } }, JSON.stringify(wish));
      t.match(refusal.reason, /^MAPPABLE with DMA_BUF: .*HOST_ALLOCATION is not compatible with DMA_BUF/);
    }
  });
});

t.test('where a dma-buf cannot be mapped, MAPPABLE with DMA_BUF is refused', async (t) => {
  await onFake(t, ['dma_buf mmap-ENODEV'], async (host) => {
    const wire = await host.session();
    const kinds = wireKinds('MAPPABLE', 'DMA_BUF');
    const refusal = await refusalOf(allocate(wire, { sizeBytes: PAGE, kinds }));
    t.match(refusal, { code: 'KIND_UNSUPPORTED', metadata: { missing: 'export' }, reason: /not compatible/ });
  });
});

/** The result of a client of the library, in a process with a fake of the dma-buf ioctl. */
async function mapElsewhere({ runtimeDir }: FakeHost, name: string): Promise<unknown> {
  const program = fileURLToPath(new URL('./dma-buf-client.js', import.meta.url));
  const [command, args] = plainNode([program, runtimeDir, name]);
  const child = spawn(FakeLayer.filtered, ['works', command, ...args], {
    env: plainEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`the client ended with ${code}`);
  return JSON.parse(output);
}

t.test('MAPPABLE is a dma-buf where memfds cannot be imported', async (t) => {
  await onFake(t, ['host_import absent', 'dma_buf present'], async (host) => {
    const report = await reportOn(host, 'MAPPABLE');
    t.match(report, { rung: 'RUNG_VERIFIED', via: /dma_buf\+mmap/ });
    t.match(report.reason, /By memfd: .*VK_EXT_external_memory_host/, 'the report states why not by memfd');
    const wire = await host.session();
    const probed = host.layer.calls('vkMapMemory').length;
    const made = await allocate(wire, { sizeBytes: SIZE, kinds: mappable, name: 'mapped' });
    t.match(made.grants[0], {
      kind: 'KIND_MAPPABLE',
      dmaBufSync: true,
      mapOffsetBytes: 0n,
      mapSizeBytes: SIZE,
      fdCount: 1,
      vulkanHandleType: 0,
    });
    const view = mapped(made);
    const bytes = Buffer.from(view.buffer);
    t.ok(bytes.equals(Buffer.alloc(Number(SIZE))), 'it is zero at first');
    await host.fill(made.id, 0x11111111);
    t.ok(bytes.equals(Buffer.alloc(Number(SIZE), 0x11)), "the device's writes are visible");
    bytes.write('written through a mapping');
    t.match((await host.bytesOf(wire, made.id, SIZE)).toString('latin1'), /^written through a mapping/);
    t.strictSame(
      await mapElsewhere(host, 'mapped'),
      { text: 'written through a mapping', readOnly: 'ADVISORY', wrote: 'by the library' },
      'the client library maps it',
    );
    t.match(bytes.toString('latin1', 4096), /^by the library/);
    view.unmap();
    await release(made);
    t.equal(host.layer.calls('vkMapMemory').length, probed, 'granting it maps nothing in the daemon');
  });
});

t.test("a failed mmap makes MAPPABLE UNSUPPORTED, with the kernel's error", async (t) => {
  for (const [word, errno] of Object.entries({
    'mmap-524': /ENOTSUPP \(524\)/,
    'mmap-ENOMEM': /ENOMEM \(12\)/,
    'mmap-ENODEV': /ENODEV \(19\)/,
  })) {
    await onFake(t, ['host_import absent', `dma_buf ${word}`], async (host) => {
      const report = await reportOn(host, 'MAPPABLE');
      t.match(report, { rung: 'RUNG_UNSUPPORTED', via: '', reason: errno }, word);
      const ended = await vkmemctl(host.runtimeDir, 'doctor', '--json');
      t.match(parsed(ended).devices[0].kinds.MAPPABLE, { rung: 'UNSUPPORTED', reason: errno });
      t.match(
        await reportOn(host, 'DMA_BUF'),
        { rung: 'RUNG_VERIFIED' },
        'DMA_BUF is available for importers',
      );
      const wire = await host.session();
      const refusal = await refusalOf(allocate(wire, { sizeBytes: PAGE, kinds: mappable }));
      t.match(refusal, { code: 'KIND_UNSUPPORTED', reason: errno, metadata: { missing: report.missing } });
      await release(await allocate(wire, { sizeBytes: PAGE, kinds: dmaBuf }));
    });
  }
});

t.test('a failed mmap of a dma-buf does not matter where memfds can be imported', async (t) => {
  await onFake(t, ['dma_buf mmap-ENODEV'], async (host) => {
    t.match(await reportOn(host, 'MAPPABLE'), { rung: 'RUNG_VERIFIED', via: /^memfd/ });
    const wire = await host.session();
    const made = await allocate(wire, { sizeBytes: PAGE, kinds: mappable });
    const view = mapped(made);
    await host.fill(made.id, 5);
    t.equal(new Uint32Array(view.buffer)[0], 5);
    view.unmap();
    await release(made);
  });
});
