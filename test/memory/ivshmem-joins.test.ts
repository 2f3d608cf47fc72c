/** How many peers may join one allocation that is offered to virtual machines, and how fast. */
import { NOTHING_HELD } from '@vkmemd/proto';
import t from 'tap';
import type { Allocation } from 'vkmemd/dist/memory/allocation/allocation.js';
import { IvshmemServer } from 'vkmemd/dist/memory/ivshmem/server.js';
import { tenantOfUid } from 'vkmemd/dist/policy/tenant.js';

/** Joins and leaves do not use the allocation. */
const offered = (vectors: number) =>
  new IvshmemServer({} as Allocation, { vectors, path: '/nowhere', createdAt: 0 }, NOTHING_HELD);

t.test('peers and doorbells of an allocation are limited', async (t) => {
  for (const [vectors, most] of [
    [1, 256],
    [31, 256],
    [32, 250],
    [64, 125],
  ] as const) {
    const server = offered(vectors);
    for (let at = 0; at < most; at += 1) t.equal(server.admit(tenantOfUid(at)), at);
    const refusal = { code: 'TOO_MANY_PEERS', reason: new RegExp(`limit is ${most} peers`) };
    t.throws(() => server.admit(tenantOfUid(1000)), refusal, `${vectors} vectors`);
    server.ids.release(0);
    t.ok(server.admit(tenantOfUid(1000)) >= 0, 'a peer that leaves makes room');
  }
});

t.test('the rate of joins is limited by tenant', async (t) => {
  const server = offered(1);
  const [one, other] = [tenantOfUid(1), tenantOfUid(2)];
  let joined = 0;
  const begun = performance.now();
  const failure = (() => {
    for (; joined < 10_000; joined += 1) {
      try {
        server.ids.release(server.admit(one));
      } catch (error) {
        return error;
      }
    }
    return undefined;
  })();
  t.match(failure, { code: 'RATE_LIMITED', metadata: { retry_after_ms: /^\d+$/ } });
  const most = 512 + ((performance.now() - begun) / 1000) * 4 + 1;
  t.ok(joined >= 512 && joined <= most, `${joined} joins, at least 512 and at most ${most}`);
  const wait = Number((failure as { metadata: { retry_after_ms: string } }).metadata.retry_after_ms);
  t.ok(wait > 0 && wait <= 250, `4 a second: the next after ${wait} ms`);
  t.ok(server.admit(other) >= 0, 'another tenant has a rate of its own');
});
