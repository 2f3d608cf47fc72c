/**
 * Memory that CUDA made outlives the daemon by its fd: the next daemon grants it without the driver, and imports it
 * when a transfer uses it first. Here another allocation of the daemon plays CUDA's memory.
 */
import { readFileSync } from 'node:fs';
import { closeAll, type OwnedFd } from '@vkmemd/proto';
import t from 'tap';
import { SupervisedDaemon, until } from '../support/supervised-daemon.js';
import { budget, controlled, list, nothingLeft, rewritten } from './support.js';

const SIZE = 65_536n;
const OPAQUE = ['KIND_OPAQUE_FD'] as const;
const policy = '[[rule]]\nuid = 0\nimport = true\n';
const root = process.getuid?.() === 0 ? false : 'the policy of the test names uid 0';

t.test('CUDA memory stays over restarts, and is imported late each time', { skip: root }, async (t) => {
  const daemon = await SupervisedDaemon.start(t, { policy });
  const call = (body: object) => controlled(daemon, (control) => control.call('Transfer', body));
  const memories = async () => (await budget(daemon)).counts?.deviceMemories;
  const wire = await daemon.open();
  const { message, fds } = await wire.ask({
    allocate: { sizeBytes: SIZE, kinds: OPAQUE, grantKinds: OPAQUE },
  });
  const [grant] = message.allocate?.grants ?? [];
  const made = { id: message.allocate?.allocation?.id ?? '' };
  await call({ fill: { allocation: made, pattern: 0x33333333 } });
  using fd = fds[0] as OwnedFd;
  const request = {
    source: 'KIND_OPAQUE_FD',
    allocationSource: 'ALLOCATION_SOURCE_CUDA_VMM',
    sizeBytes: SIZE,
    deviceUuid: grant?.deviceUuid ?? new Uint8Array(),
    kinds: OPAQUE,
    name: 'weights',
  } as const;
  wire.send({ import: request }, [fd.dup('sent')]);
  t.match((await wire.next()).message.import?.allocation, {
    kept: true,
    source: 'ALLOCATION_SOURCE_CUDA_VMM',
  });
  await wire.ask({ release: { grantId: grant?.id ?? 0n } });
  await wire.ask({ free: { allocation: made } });
  wire.close();
  await until('the end of the session', async () =>
    (await budget(daemon)).counts?.sessions === 0 ? true : undefined,
  );
  t.equal(await memories(), 0, 'no VkDeviceMemory is left of it');

  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    await daemon.kill(signal);
    await daemon.serving();
    const [found, ...rest] = await list(daemon);
    t.match(found, {
      name: 'weights',
      state: 'ALLOCATION_STATE_LIVE',
      source: 'ALLOCATION_SOURCE_CUDA_VMM',
      imported: true,
      sizeBytes: SIZE,
    });
    t.same(rest, []);
    t.equal(await memories(), 0, `the start after ${signal} imports nothing`);
    const again = await daemon.open();
    const claimed = await again.ask({ claim: { allocation: { name: 'weights' }, kinds: OPAQUE } });
    t.equal(claimed.fds.length, 1, 'it is granted');
    closeAll(claimed.fds);
    t.equal(await memories(), 0, 'without an import');
    const target = await again.ask({ allocate: { sizeBytes: SIZE, kinds: ['KIND_MAPPABLE'] } });
    const destination = { id: target.message.allocate?.allocation?.id ?? '' };
    await call({ copy: { source: { name: 'weights' }, destination } });
    t.equal(await memories(), 2, 'a transfer imports it');
    const seen = await again.ask({ claim: { allocation: destination, kinds: ['KIND_MAPPABLE'] } });
    t.ok(
      readFileSync(`/proc/self/fd/${seen.fds[0]?.fd}`).equals(Buffer.alloc(Number(SIZE), 0x33)),
      'with the bytes of the process that made it',
    );
    closeAll(seen.fds);
    for (const { message } of [claimed, seen]) {
      await again.ask({ release: { grantId: message.claim?.grants[0]?.id ?? 0n } });
    }
    await again.ask({ free: { allocation: destination } });
    again.close();
    await until('the end of the session', async () =>
      (await budget(daemon)).counts?.sessions === 0 ? true : undefined,
    );
  }
  await rewritten(daemon, ({ allocations }) => {
    t.strictSame(
      allocations.all.map(({ imported, plan }) => [imported, plan.source]),
      [[true, 'CUDA_VMM']],
      'the ledger has its source',
    );
  });
  await controlled(daemon, (control) => control.call('FreeAllocation', { allocation: { name: 'weights' } }));
  await nothingLeft(t, daemon);
});
