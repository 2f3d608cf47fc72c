/**
 * DMA_BUF_IOCTL_SYNC, as the kernel gets it: the client library puts each access through a mapping of a dma-buf
 * between START and END. The calls are seen by a probe in the kernel (kprobe), in dma_buf_ioctl().
 */
import { readFileSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { connectTo } from './guest.js';
import { must } from './installed.js';
import { sharedDaemon } from './shared-daemon.js';

const TRACING = '/sys/kernel/tracing';
const GROUP = 'lab';
/** Of linux/dma-buf.h. */
const DMA_BUF_IOCTL_SYNC = 0x40086200;
const END = 4;
const WAYS: Readonly<Record<number, string>> = { 1: 'read', 2: 'write', 3: 'read and write' };

/** Watches this process's calls. @returns what was called since it was last asked, such as 'end read'. */
function watchCalls(t: Test): () => string[] {
  must('mountpoint', TRACING);
  const write = (file: string, text: string) => writeFileSync(`${TRACING}/${file}`, text);
  write('kprobe_events', `p:${GROUP}/sync dma_buf_ioctl command=%si:x32 flags=+u0(%dx):x64\n`);
  t.teardown(() => {
    write(`events/${GROUP}/enable`, '0');
    write('kprobe_events', '');
  });
  write(`events/${GROUP}/sync/filter`, `command == ${DMA_BUF_IOCTL_SYNC} && common_pid == ${process.pid}`);
  write('trace', '');
  write(`events/${GROUP}/enable`, '1');
  return () => {
    const calls = [...readFileSync(`${TRACING}/trace`, 'utf8').matchAll(/ flags=0x([\da-f]+)/g)];
    write('trace', '');
    return calls.map(([, digits = '']) => {
      const flags = Number.parseInt(digits, 16);
      return `${flags & END ? 'end' : 'start'} ${WAYS[flags & ~END]}`;
    });
  };
}

t.test('DMA_BUF_IOCTL_SYNC', async (t) => {
  const { runtimeDir } = await sharedDaemon(t);
  await using client = await connectTo(runtimeDir);
  await using memory = await client.allocate({ size: 1 << 20, kinds: ['MAPPABLE', 'DMA_BUF'] });
  const calls = watchCalls(t);
  const map = memory.map();
  t.strictSame(calls(), ['start read and write'], 'map()');
  map.sync();
  t.strictSame(calls(), ['end read and write', 'start read and write'], 'sync()');
  map.unmap();
  t.strictSame(calls(), ['end read and write'], 'unmap()');
  const reader = memory.map({ access: 'ro' });
  reader.unmap();
  t.strictSame(calls(), ['start read', 'end read'], 'of a mapping for reading');
});
