/**
 * CPU access to dma-bufs, started and ended: the ioctls, their order, and their errors. No test machine has a
 * dma-buf, so the kernel's part is a fake; one test calls the real kernel with a file that is not a dma-buf.
 */
import { fileURLToPath } from 'node:url';
import { CpuAccess, createMemfd } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { runOnFake } from './fake-dma-buf.js';
import { openFds, sameFds } from './open-fds.js';

const PROGRAM = fileURLToPath(new URL('./dma-buf-program.js', import.meta.url));
const [EINTR, EIO, EAGAIN, EINVAL] = [4, 5, 11, 22];

async function run(t: Test, steps: readonly string[], errnos: readonly number[] = []) {
  const { code, stdout, stderr, calls } = await runOnFake(t, [PROGRAM, ...steps], errnos);
  t.same({ code, stderr }, { code: 0, stderr: '' });
  return { ...(JSON.parse(stdout) as { outcomes: string[]; begun: boolean }), calls };
}

t.test('the kernel rejects a memfd as a dma-buf', async (t) => {
  const before = openFds();
  using fd = await createMemfd('vkmem-no-dma-buf', 4096n);
  t.throws(() => new CpuAccess(fd, 'rw'), {
    code: 'NOT_MAPPABLE',
    reason: /DMA_BUF_IOCTL_SYNC: ENOTTY \(25\)/,
    metadata: { syscall: 'ioctl DMA_BUF_IOCTL_SYNC', errno: 'ENOTTY' },
  });
  fd.close();
  await sameFds(t, before);
});

t.test('access is started, synchronised and ended', async (t) => {
  t.same(await run(t, ['rw', 'sync', 'end', 'end']), {
    outcomes: ['ok', 'ok', 'ok', 'ok'],
    begun: false,
    calls: ['start rw 0', 'end rw 0', 'start rw 0', 'end rw 0'],
  });
  t.same((await run(t, ['ro', 'end'])).calls, ['start read 0', 'end read 0'], 'a reader flushes no writes');
  t.same(await run(t, ['rw', 'end', 'sync']), {
    outcomes: ['ok', 'ok', 'ok'],
    begun: true,
    calls: ['start rw 0', 'end rw 0', 'start rw 0'],
  });
});

t.test('an interrupted ioctl is repeated', async (t) => {
  const { outcomes, calls } = await run(t, ['rw', 'end'], [EINTR, EAGAIN, EAGAIN, 0, EINTR]);
  t.same(outcomes, ['ok', 'ok']);
  t.same(calls, ['start rw 4', 'start rw 11', 'start rw 11', 'start rw 0', 'end rw 4', 'end rw 0']);
});

t.test('failed ioctls are reported as NOT_MAPPABLE with their errno', async (t) => {
  t.same(await run(t, ['rw'], [EINVAL]), {
    outcomes: ['NOT_MAPPABLE EINVAL'],
    begun: false,
    calls: ['start rw 22'],
  });
  t.same(
    await run(t, ['rw', 'sync', 'sync', 'end'], [0, 0, EIO]),
    {
      outcomes: ['ok', 'NOT_MAPPABLE EIO', 'ok', 'ok'],
      begun: false,
      calls: ['start rw 0', 'end rw 0', 'start rw 5', 'start rw 0', 'end rw 0'],
    },
    'access that was not started is not ended, and can be started again',
  );
  t.same(
    await run(t, ['rw', 'end', 'end'], [0, EIO]),
    { outcomes: ['ok', 'NOT_MAPPABLE EIO', 'ok'], begun: false, calls: ['start rw 0', 'end rw 5'] },
    'a failure is reported once',
  );
});
