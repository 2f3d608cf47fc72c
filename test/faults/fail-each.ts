/**
 * One request, and every call that it makes of the driver failing in every way that the specification lists.
 */
import type { ErrorCode } from '@vkmemd/proto';
import type { Test } from 'tap';
import { type FakeHost, fdsOf, refusalOf } from './support.js';

type Results = Readonly<Record<string, ErrorCode>>;

/** Any command may return VK_ERROR_UNKNOWN. */
const MEMORY: Results = {
  VK_ERROR_OUT_OF_HOST_MEMORY: 'DEVICE_OUT_OF_MEMORY',
  VK_ERROR_OUT_OF_DEVICE_MEMORY: 'DEVICE_OUT_OF_MEMORY',
  VK_ERROR_UNKNOWN: 'INTERNAL',
};
const CAPTURED: Results = { ...MEMORY, VK_ERROR_INVALID_OPAQUE_CAPTURE_ADDRESS: 'INTERNAL' };

/** What each call may return, but for a lost device, which is another matter (lost.test.ts). */
const RESULTS: Readonly<Record<string, Results>> = {
  vkAllocateMemory: {
    ...CAPTURED,
    VK_ERROR_INVALID_EXTERNAL_HANDLE: 'KIND_UNSUPPORTED',
    VK_ERROR_TOO_MANY_OBJECTS: 'TOO_MANY_ALLOCATIONS',
  },
  // Of fds there are too many, not of allocations.
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
  vkQueueSubmit: MEMORY,
  vkWaitForFences: MEMORY,
};

/** What the daemon holds, which a refused request must not change. */
async function heldBy({ control, daemon }: FakeHost) {
  const { heaps, counts } = await control.budget();
  const bytes = heaps.map(({ liveBytes, drainingBytes, reservedBytes }) => [
    liveBytes,
    drainingBytes,
    reservedBytes,
  ]);
  return { counts: { ...counts }, bytes, fds: fdsOf(daemon.pid) };
}

/** Lets each call of a request fail in each way, the first and the second time that the request makes it. */
export async function failEach(
  t: Test,
  host: FakeHost,
  base: readonly string[],
  expected: readonly string[],
  request: () => Promise<void>,
): Promise<void> {
  const { layer } = host;
  await request();
  const begun = layer.calls().length;
  await request();
  const made = layer.calls().slice(begun);
  const times = (call: string) => made.filter(({ name }) => name === call).length;
  t.strictSame(
    Object.keys(RESULTS)
      .filter((call) => times(call) > 0)
      .sort(),
    [...expected].sort(),
    'it makes these calls',
  );
  for (const call of expected) {
    for (let nth = 1; nth <= Math.min(times(call), 2); nth += 1) {
      for (const [result, code] of Object.entries(RESULTS[call] ?? {})) {
        const before = await heldBy(host);
        layer.script(...base, `fail ${call} ${nth} ${result}`);
        const refusal = await refusalOf(request());
        t.match(
          { code: refusal.code, reason: refusal.reason },
          { code, reason: `${call}: ${result}` },
          `${call} ${nth} ${result}`,
        );
        t.strictSame(await heldBy(host), before, 'nothing is left of it');
        await request();
      }
    }
  }
  layer.script(...base);
}
