/**
 * CPU access to dma-bufs, bracketed: what is asked of the kernel, in which order, and what its refusals
 * become. No test machine has a dma-buf, so the kernel's part is a fake; one test asks the real kernel, of a
 * file that is none.
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

t.test('the kernel does not take a memfd for a dma-buf', async (t) => {
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

t.test('begun, synchronised, ended', async (t) => {
  t.same(await run(t, ['rw', 'sync', 'end', 'end']), {
    outcomes: ['ok', 'ok', 'ok', 'ok'],
    begun: false,
    calls: ['start rw 0', 'end rw 0', 'start rw 0', 'end rw 0'],
  });
  t.same(
    (await run(t, ['ro', 'end'])).calls,
    ['start read 0', 'end read 0'],
    'a reader leaves no writes to flush',
  );
  t.same(await run(t, ['rw', 'end', 'sync']), {
    outcomes: ['ok', 'ok', 'ok'],
    begun: true,
    calls: ['start rw 0', 'end rw 0', 'start rw 0'],
  });
});

t.test('what the kernel interrupts is asked again', async (t) => {
  const { outcomes, calls } = await run(t, ['rw', 'end'], [EINTR, EAGAIN, EAGAIN, 0, EINTR]);
  t.same(outcomes, ['ok', 'ok']);
  t.same(calls, ['start rw 4', 'start rw 11', 'start rw 11', 'start rw 0', 'end rw 4', 'end rw 0']);
});

t.test('refusals', async (t) => {
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
    'what is not begun is not ended, and can be begun again',
  );
  t.same(
    await run(t, ['rw', 'end', 'end'], [0, EIO]),
    { outcomes: ['ok', 'NOT_MAPPABLE EIO', 'ok'], begun: false, calls: ['start rw 0', 'end rw 5'] },
    'a failure is told once',
  );
});
