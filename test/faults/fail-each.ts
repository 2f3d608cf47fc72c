/** Makes every driver call of one request fail in every way that the specification lists. */
import type { ErrorCode } from '@vkmemd/proto';
import type { Test } from 'tap';
import { type FakeHost, fdsOf, refusalOf, until } from './support.js';

type Results = Readonly<Record<string, ErrorCode>>;

/** Any command may return VK_ERROR_UNKNOWN. */
const MEMORY: Results = {
  VK_ERROR_OUT_OF_HOST_MEMORY: 'DEVICE_OUT_OF_MEMORY',
  VK_ERROR_OUT_OF_DEVICE_MEMORY: 'DEVICE_OUT_OF_MEMORY',
  VK_ERROR_UNKNOWN: 'INTERNAL',
};
const CAPTURED: Results = { ...MEMORY, VK_ERROR_INVALID_OPAQUE_CAPTURE_ADDRESS: 'INTERNAL' };

/** The results that each call may return, without VK_ERROR_DEVICE_LOST, which lost.test.ts covers. */
const RESULTS: Readonly<Record<string, Results>> = {
  vkAllocateMemory: {
    ...CAPTURED,
    VK_ERROR_INVALID_EXTERNAL_HANDLE: 'KIND_UNSUPPORTED',
    VK_ERROR_TOO_MANY_OBJECTS: 'TOO_MANY_ALLOCATIONS',
  },
  // The call creates fds, so its limit is the number of files, not of allocations.
  vkGetMemoryFdKHR: {
    VK_ERROR_OUT_OF_HOST_MEMORY: 'DEVICE_OUT_OF_MEMORY',
    VK_ERROR_TOO_MANY_OBJECTS: 'UNAVAILABLE',
    VK_ERROR_UNKNOWN: 'INTERNAL',
  },
  vkCreateBuffer: CAPTURED,
  vkBindBufferMemory: CAPTURED,
  vkCreateImage: CAPTURED,
  vkBindImageMemory: MEMORY,
  vkCreateCommandPool: MEMORY,
  vkAllocateCommandBuffers: MEMORY,
  vkBeginCommandBuffer: MEMORY,
  vkEndCommandBuffer: MEMORY,
  vkCreateFence: MEMORY,
  vkResetFences: { VK_ERROR_OUT_OF_DEVICE_MEMORY: 'DEVICE_OUT_OF_MEMORY', VK_ERROR_UNKNOWN: 'INTERNAL' },
  vkQueueSubmit: MEMORY,
  vkWaitForFences: MEMORY,
};

/** These are made only if no idle ones are left of an earlier submission; a failed submission leaves none. */
const COLD: ReadonlySet<string> = new Set([
  'vkCreateCommandPool',
  'vkAllocateCommandBuffers',
  'vkCreateFence',
]);
const SUBMITTED = 'vkQueueSubmit';

/** The daemon's counts, which a refused request must not change. */
async function heldBy({ control }: FakeHost) {
  const { heaps, counts } = await control.budget();
  const bytes = heaps.map(({ liveBytes, drainingBytes, reservedBytes }) => [
    liveBytes,
    drainingBytes,
    reservedBytes,
  ]);
  return { counts: { ...counts }, bytes };
}

/**
 * Makes each call of a request fail with each result, the first and the second time that the request makes
 * the call.
 */
export async function failEach(
  t: Test,
  host: FakeHost,
  base: readonly string[],
  expected: readonly string[],
  request: () => Promise<void>,
): Promise<void> {
  const { layer, daemon } = host;
  // The fewest that were seen: the daemon closes a client's fds on threads, after its answer.
  let fds = Number.POSITIVE_INFINITY;
  const open = () => {
    const now = fdsOf(daemon.pid);
    fds = Math.min(fds, now);
    return now;
  };
  await request();
  const begun = layer.calls().length;
  await request();
  const made = layer.calls().slice(begun);
  const times = (call: string) => made.filter(({ name }) => name === call).length;
  t.strictSame(
    Object.keys(RESULTS)
      .filter((call) => times(call) > 0)
      .sort(),
    expected.filter((call) => !COLD.has(call)).sort(),
    'the request makes these calls',
  );
  /** Makes the next request make the cold calls. */
  const cool = async (): Promise<void> => {
    layer.script(...base, `fail ${SUBMITTED} 1 VK_ERROR_OUT_OF_HOST_MEMORY`);
    t.match(await refusalOf(request()), { code: 'DEVICE_OUT_OF_MEMORY' }, 'no lane is left');
  };
  for (const call of expected) {
    const most = COLD.has(call) ? 1 : Math.min(times(call), 2);
    for (let nth = 1; nth <= most; nth += 1) {
      for (const [result, code] of Object.entries(RESULTS[call] ?? {})) {
        if (COLD.has(call)) await cool();
        const before = await heldBy(host);
        open();
        layer.script(...base, `fail ${call} ${nth} ${result}`);
        const refusal = await refusalOf(request());
        t.match(
          { code: refusal.code, reason: refusal.reason },
          { code, reason: `${call}: ${result}` },
          `${call} ${nth} ${result}`,
        );
        t.strictSame(await heldBy(host), before, 'nothing is left of the failed request');
        await t.resolves(
          until('the fds of before', () => open() <= fds),
          'nor is an fd',
        );
        await request();
      }
    }
  }
  layer.script(...base);
}
