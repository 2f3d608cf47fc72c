/** AllocateMany beside what else happens: other tenants, a reload of the policy, several kinds of each allocation. */
import { writeFileSync } from 'node:fs';
import { connect, connectControl } from '@vkmemd/client';
import { closeAll, errorOf, MAX_MANY, sameFile } from '@vkmemd/proto';
import t from 'tap';
import { ANYBODY, assertCounts, startDaemon } from '../support/daemon.js';
import { FakeLayer } from '../support/fake-layer.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { asOtherUser, noOtherUser, openToOthers } from '../support/uid.js';

const PAGE = 4096;
/** More than one message has room for, so that several follow each other. */
const COUNT = 600;

t.test(
  'another tenant is served while one always has such a request under way',
  { skip: noOtherUser ?? false },
  async (t) => {
    const { runtimeDir } = await startDaemon(t, { policy: `${ANYBODY}kinds = ["MAPPABLE"]\n` });
    openToOthers(runtimeDir);
    await using client = await connect({ runtimeDir });
    let served = false;
    let requests = 0;
    const busy = async () => {
      while (!served) {
        const memories = await client.allocateMany(Array.from({ length: COUNT }, () => ({ size: PAGE })));
        requests += 1;
        await Promise.all(memories.map((memory) => memory.free()));
      }
    };
    const other = asOtherUser('probe-policy.js', [runtimeDir]).finally(() => {
      served = true;
    });
    await Promise.all([busy(), busy(), other]);
    t.match(await other, { hello: 'served', session: 'served', named: 'served' });
    t.ok(requests > 1, `${requests} requests meanwhile`);
  },
);

t.test('a reload of the policy among many requests', async (t) => {
  const daemon = await startDaemon(t);
  const { runtimeDir } = daemon;
  const wire = await HandoffWire.open(runtimeDir);
  const control = connectControl({ runtimeDir });
  const [requests, refusals] = [12, [] as unknown[]];
  const one = { sizeBytes: 4096n, kinds: ['KIND_MAPPABLE'] as const };
  for (let sent = 0; sent < requests; sent += 1)
    wire.send({ allocateMany: { requests: Array.from({ length: MAX_MANY }, () => one) } });
  writeFileSync(daemon.config, '[[rule]]\nuid = 0\nkinds = []\n');
  await control.policy.reload();
  let made = 0;
  for (let answered = 0; answered < requests; ) {
    const { allocateMany, error } = (await wire.next()).message;
    made += allocateMany?.outcomes.length ?? 0;
    if (error) refusals.push(errorOf(error).code);
    if (error || allocateMany?.last) answered += 1;
  }
  t.equal(made, (requests - refusals.length) * MAX_MANY, 'each request is served whole, or refused whole');
  t.ok(
    refusals.every((code) => code === 'NOT_PERMITTED'),
    `${refusals.length} are refused`,
  );
  wire.send({ allocateMany: { requests: [one] } });
  t.ok((await wire.next()).message.error, 'later ones are');
  await assertCounts(t, runtimeDir, { sessions: 1, allocations: made, deviceMemories: made, fds: made });
  wire.close();
  control.close();
});

t.test('several kinds of each allocation', async (t) => {
  const layer = new FakeLayer(t, 'dma_buf present');
  const { runtimeDir } = await startDaemon(t, { env: layer.environment });
  await using client = await connect({ runtimeDir });
  const kinds = ['MAPPABLE', 'DMA_BUF'] as const;
  const list = Array.from({ length: 40 }, (_, index) => ({ size: PAGE, kinds, name: `both-${index}` }));
  const memories = await client.allocateMany(list);
  t.strictSame(
    memories.map(({ grants }) => grants.map(({ kind }) => kind).sort()),
    memories.map(() => kinds.map((kind) => `KIND_${kind}`).sort()),
    'each has both grants',
  );
  for (const memory of memories) {
    using mappable = memory.fd('MAPPABLE');
    using dmaBuf = memory.fd('DMA_BUF');
    if (!sameFile(mappable, dmaBuf)) t.fail(`${memory.name}: its fds are of different memory`);
  }

  // The fds of a part belong to its grants, in their order.
  const wire = await HandoffWire.open(runtimeDir);
  const one = ({ name }: { readonly name: string }) => ({
    allocation: { name },
    kinds: ['KIND_DMA_BUF', 'KIND_MAPPABLE'] as const,
  });
  wire.send({ claimMany: { requests: list.slice(0, 4).map(one) } });
  const { message, fds } = await wire.next();
  const grants = message.claimMany?.outcomes.flatMap(({ granted }) => granted?.grants ?? []) ?? [];
  t.equal(grants.length, 8);
  for (const [at, { kind }] of grants.entries()) {
    t.equal(kind, one({ name: '' }).kinds[at % 2]);
    using own = memories[Math.floor(at / 2)]?.fd('MAPPABLE');
    t.ok(own && fds[at] && sameFile(own, fds[at]), `the fd ${at}`);
  }
  closeAll(fds);
  wire.close();
  await Promise.all(memories.map((memory) => memory.free()));
});
