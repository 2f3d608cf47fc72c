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

t.test('DMA_BUF cannot be combined with other kinds here, and MAPPABLE stays a memfd', async (t) => {
  await onFake(t, ['dma_buf present'], async (host) => {
    const wire = await host.session();
    t.match(await reportOn(host, 'MAPPABLE'), { rung: 'RUNG_VERIFIED', via: /^memfd/ });
    for (const other of ['OPAQUE_FD', 'MAPPABLE'] as const) {
      const kinds = wireKinds(other, 'DMA_BUF');
      const refusal = await refusalOf(allocate(wire, { sizeBytes: PAGE, kinds }));
      t.match(refusal, { code: 'KIND_UNSUPPORTED', metadata: { missing: 'export' } }, other);
      t.match(refusal.reason, /not compatible/);
    }
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
