/**
 * RDMA that moves bytes, over soft-RoCE: a client registers memory of the daemon, and a peer reads and writes it
 * one-sided. The daemon's device and a process with a mapping see every byte.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { temporaryFolder } from '../support/daemon.js';
import { until } from '../support/supervised-daemon.js';
import { connectTo } from './guest.js';
import { must, run } from './installed.js';
import { firstOther, firstOtherOfDevice, OF_DEVICE, OF_PEER } from './pattern.js';
import { DEVICE, HOST, peer, Served, softRoce } from './rdma.js';
import { sharedDaemon } from './shared-daemon.js';

const SIZE = 64 << 20;
const SMALL = 1 << 20;
/** Of `rdma serve`. */
const PORT = 18515;
/** What perftest sends: messages of so many bytes, each these words again and again. */
const MESSAGE = 65_536;
const WORDS = Uint32Array.of(0x5eedc0de, 0x0badcafe, 0x12345678, 0x9abcdef1);

t.test('over soft-RoCE', async (t) => {
  softRoce(t);
  const { runtimeDir } = await sharedDaemon(t);
  await using client = await connectTo(runtimeDir);

  await t.test('64 MiB of a memfd are read and written by a peer', async (t) => {
    await using memory = await client.allocate({ size: SIZE });
    using map = memory.map();
    using fd = memory.fd('MAPPABLE');
    await client.transfer({ fill: { to: memory, pattern: OF_DEVICE.first } });
    const served = new Served(t, fd, SIZE);
    await served.registered();
    const began = performance.now();
    t.match(
      await peer('read', SIZE, OF_DEVICE),
      { status: 0, stderr: '' },
      "the peer reads the device's bytes",
    );
    t.match(await peer('write', SIZE, OF_PEER), { status: 0, stderr: '' });
    const seconds = (performance.now() - began) / 1000;
    t.comment(`figure: 64 MiB read and 64 MiB written over soft-RoCE in ${seconds.toFixed(1)} s`);
    t.equal(firstOther(map.bytes, OF_PEER), undefined, "the peer's bytes are in this process's mapping");
    t.equal(await firstOtherOfDevice(client, memory, OF_PEER), undefined, 'and the device copies them');
    t.match(await served.close(), { status: 0, stderr: '' });
  });

  await t.test("perftest, which is not part of vkmemd, writes into the daemon's memory", async (t) => {
    await using memory = await client.allocate({ size: SMALL });
    using map = memory.map();
    using fd = memory.fd('MAPPABLE');
    const file = `--mmap=/proc/${process.pid}/fd/${fd.fd}`;
    const common = ['-d', DEVICE, '-x', '1', '-s', String(MESSAGE), '-n', '64'];
    const server = spawn('ib_write_bw', [...common, file], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [server.stdout, server.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
    }
    const ended = new Promise((resolve) => server.once('close', resolve));
    await until('the server listens', () => run('ss', '-Hltn', `sport = ${PORT}`).stdout !== '' || undefined);
    const folder = temporaryFolder(t);
    const payload = join(folder, 'payload');
    // It takes words of exactly eight digits, and no blanks.
    const digits = Array.from(WORDS, (word) => `0x${word.toString(16).padStart(8, '0')}`);
    writeFileSync(payload, digits.join(','));
    const client_ = run('ib_write_bw', ...common, `--payload_file_path=${payload}`, HOST);
    t.equal(client_.status, 0, client_.stderr || client_.stdout);
    t.equal(await ended, 0, said);
    const [, bandwidth] = /^ 65536\s+\d+\s+[\d.]+\s+([\d.]+)/m.exec(client_.stdout) ?? [];
    t.comment(`figure: ib_write_bw into memory of the daemon: ${bandwidth} MiB/s`);
    const sent = Buffer.alloc(MESSAGE, Buffer.from(WORDS.buffer));
    t.not(Buffer.from(map.bytes).indexOf(sent), -1, "the client's bytes are in the memory");
  });

  await t.test('a peer that says nothing, or nonsense, ends nothing', async (t) => {
    await using memory = await client.allocate({ size: SMALL });
    using fd = memory.fd('MAPPABLE');
    const served = new Served(t, fd, SMALL);
    await served.registered();
    // One after the other: its lines are in the order of its peers.
    for (const bytes of [0, 3, 4096]) {
      // It may be reset, which is no failure.
      const nonsense = createConnection(PORT, HOST).on('error', () => {});
      nonsense.resume().end(Buffer.alloc(bytes));
      await new Promise((resolve) => nonsense.once('close', resolve));
    }
    t.match(await peer('write', SMALL, OF_PEER), { status: 0, stderr: '' }, 'the next one is served');
    const silent = createConnection(PORT, HOST);
    t.teardown(() => silent.destroy());
    await once(silent, 'connect');
    t.match(await served.close(), {
      status: 0,
      stderr: '',
      stdout: /(peer gone\n){3}peer finished\npeer gone\n$/,
    });
  });

  await t.test('memory that is freed drains until it is deregistered', async (t) => {
    const memory = await client.allocate({ size: SMALL, name: 'registered' });
    const fd = memory.fd('MAPPABLE');
    const served = new Served(t, fd, SMALL);
    await served.registered();
    fd.close();
    await memory.free();
    const counts = async () => (await client.budget()).counts;
    t.match(await counts(), { allocations: 0, drainingAllocations: 1 });
    t.match(await peer('write', SMALL, OF_PEER), { status: 0, stderr: '' }, 'a peer still reaches it');
    t.match(await counts(), { drainingAllocations: 1 });
    await served.close();
    await until('its bytes are free', async () => (await counts()).drainingAllocations === 0 || undefined);
  });

  await t.test('memory is not published while a NIC can write to it', async (t) => {
    const memory = await client.allocate({ size: SMALL, name: 'publishing', publishable: true });
    const fd = memory.fd('MAPPABLE');
    const served = new Served(t, fd, SMALL);
    await served.registered();
    fd.close();
    await t.rejects(memory.publish(), { code: 'PAGES_PINNED', metadata: { pid: String(served.pid) } });
    t.match(await peer('write', SMALL, OF_PEER), { status: 0 }, 'which would write past the seal');
    await served.close();
    t.match(await memory.publish(), { published: true }, 'once it is deregistered it is published');
    await memory.free();
  });

  await t.test('a registrant that is killed leaves nothing', async (t) => {
    const memory = await client.allocate({ size: SMALL, name: 'killed' });
    const fd = memory.fd('MAPPABLE');
    const served = new Served(t, fd, SMALL);
    await served.registered();
    fd.close();
    await memory.free();
    await served.kill();
    await until(
      'its bytes are free',
      async () => (await client.budget()).counts.drainingAllocations === 0 || undefined,
    );
    t.notMatch(must('rdma', 'resource', 'show', 'mr'), `pid ${served.pid}`);
  });

  await t.test('a limit of locked memory is named where it is the reason', async (t) => {
    await using memory = await client.allocate({ size: SMALL });
    using fd = memory.fd('MAPPABLE');
    const small = [
      'prlimit',
      '--memlock=65536:65536',
      'setpriv',
      '--reuid',
      '65534',
      '--regid',
      '65534',
      '--clear-groups',
    ];
    const { status, stderr } = await new Served(t, fd, SMALL, [], small).ended;
    t.equal(status, 1);
    t.match(stderr, /ibv_reg_mr of 1048576 bytes: RLIMIT_MEMLOCK permits 65536/);
  });

  await t.test('a dma-buf: by its mapping, and by itself', async (t) => {
    const { devices } = await client.devices();
    const offered = devices[0]?.kinds.some(
      ({ kind, rung }) => kind === 'KIND_DMA_BUF' && rung === 'RUNG_VERIFIED',
    );
    if (!offered) return t.comment('figure: this driver has no dma-bufs');
    await using memory = await client.allocate({ size: SMALL, kinds: ['MAPPABLE', 'DMA_BUF'] });
    using mapped = memory.fd('MAPPABLE');
    // Its pages have no struct page for the kernel to pin (VM_PFNMAP) since Linux 6.12.
    const byMapping = await new Served(t, mapped, SMALL).ended;
    t.match(byMapping, { status: 1, stderr: /ibv_reg_mr of 1048576 bytes: Bad address/ });
    using fd = memory.fd('DMA_BUF');
    const { status, stderr } = await new Served(t, fd, SMALL, ['--dmabuf', '--port', '18516']).ended;
    t.equal(status, 1, 'soft-RoCE registers no dma-buf');
    t.match(stderr, /ibv_reg_dmabuf_mr of 1048576 bytes: Operation not supported/);
  });
});
