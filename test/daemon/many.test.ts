/** AllocateMany and ClaimMany: many allocations and grants in one request, and their answers in parts. */
import { randomUUID } from 'node:crypto';
import { connect, type Memory } from '@vkmemd/client';
import { closeAll, type Decoded, type Draft, MAX_MANY } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { assertCounts, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { openOf } from '../support/supervised-daemon.js';

const PAGE = 4096;
const MAPPABLE = { sizeBytes: 4096n, kinds: ['KIND_MAPPABLE'], grantKinds: ['KIND_MAPPABLE'] } as const;
const many = <T>(count: number, one: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => one(i));

/** The parts of one answer, up to the last or an error. */
async function partsOf(wire: HandoffWire) {
  const parts: { readonly outcomes: { index: number; error?: unknown }[]; readonly fds: number }[] = [];
  for (;;) {
    const { message, fds } = await wire.next();
    closeAll(fds);
    const part = message.allocateMany ?? message.claimMany;
    if (!part) return { parts, error: message.error };
    if (part.part !== parts.length) throw new Error(`part ${part.part} arrived as part ${parts.length}`);
    parts.push({ outcomes: part.outcomes, fds: fds.length });
    if (part.last) return { parts, error: undefined };
  }
}

/** Frees in turn, so that the daemon's counts are settled. */
async function freeAll(memories: readonly Memory[]): Promise<void> {
  await Promise.all(memories.map((memory) => memory.free()));
}

t.test('each request has the memory that it asked for', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using client = await connect({ runtimeDir });
  await using other = await connect({ runtimeDir });
  // More than two messages; every third one has no grant.
  const list = many(600, (index) => ({
    size: PAGE * (1 + (index % 3)),
    name: `many-${index}`,
    ...(index % 3 === 2 && { grant: [] }),
  }));
  const made = await client.allocateMany(list);
  t.strictSame(
    made.map(({ name, size }) => ({ name, size: Number(size) })),
    list.map(({ name, size }) => ({ name, size })),
  );
  t.ok(made.every(({ grants }, index) => grants.length === (index % 3 === 2 ? 0 : 1)));
  t.ok(made.every(({ created }) => created));
  for (const [index, memory] of made.entries()) {
    if (index % 3 !== 2) memory.map().bytes.fill(index % 251);
  }
  const claimed = await other.claimMany([
    ...list.map(({ name }) => ({ name, access: 'ro' as const })),
    { name: 'none' },
  ]);
  t.match(claimed.pop(), { status: 'rejected', reason: { code: 'NOT_FOUND' } });
  const wrong = claimed.flatMap((one, index) => {
    if (one.status === 'rejected') return [one.reason];
    const { bytes } = one.value.map({ access: 'ro' });
    const expected = index % 3 === 2 ? 0 : index % 251;
    return bytes.length === PAGE * (1 + (index % 3)) && bytes.every((byte) => byte === expected)
      ? []
      : [index];
  });
  t.strictSame(wrong, [], 'and so has each claim');
  for (const one of claimed) if (one.status === 'fulfilled') await one.value.release();
  await freeAll(made);
  t.strictSame(await client.allocateMany([]), []);
  t.strictSame(await client.claimMany([]), []);
});

t.test('all or nothing', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using client = await connect({ runtimeDir });
  await using taken = await client.allocate({ size: PAGE, name: 'taken' });
  const list = many(300, (index) => ({ size: PAGE, name: index === 280 ? 'taken' : `one-${index}` }));
  const { counts: before } = await client.budget();
  await t.rejects(client.allocateMany(list), {
    code: 'NAME_TAKEN',
    metadata: { index: '280' },
    message: /Request 280: /,
  });
  const { counts } = await client.budget();
  t.strictSame(counts, before, 'what was made before it is freed, also in an earlier message');
  await t.rejects(client.allocateMany([{ size: PAGE }, { size: PAGE, name: 'no name!' }]), {
    code: 'INVALID_NAME',
    metadata: { index: '1' },
  });
  await t.rejects(client.allocateMany([{ size: PAGE, ifExists: 'claim', name: 'taken' } as never]), {
    code: 'INVALID_ARGUMENT',
    metadata: { field: 'ifExists' },
  });

  const settled = await client.allocateMany(list.slice(270, 290), { allOrNothing: false });
  const failed = settled.flatMap((one, index) =>
    one.status === 'rejected' ? [[index, one.reason.code]] : [],
  );
  t.strictSame(failed, [[10, 'NAME_TAKEN']], 'or each by itself');
  await freeAll(settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])));
  await taken.free();
});

t.test('claims by ticket, of other devices and of locked memory', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using client = await connect({ runtimeDir });
  await using other = await connect({ runtimeDir });
  const memory = await client.allocate({ size: PAGE, name: 'shared' });
  const locked = await client.allocate({ size: PAGE, name: 'locked', sharing: 'ONE_WRITER' });
  const { secret } = await memory.createTicket({ uses: 1 });
  const outcomes = await other.claimMany([
    { ticket: secret },
    { ticket: 'wrong' },
    { name: 'locked', access: 'rw' },
    { name: 'shared', kinds: ['OPAQUE_FD'] },
    { id: memory.id },
  ]);
  t.match(outcomes, [
    { status: 'fulfilled' },
    { reason: { code: 'TICKET_INVALID' } },
    { reason: { code: 'BUSY' } },
    { reason: { code: 'KIND_NOT_REQUESTED' } },
    { status: 'fulfilled' },
  ]);
  await t.rejects(other.claimMany([{ name: 'locked', waitMs: 5 } as never]), {
    code: 'INVALID_ARGUMENT',
    metadata: { field: 'waitMs' },
  });
  for (const one of outcomes) if (one.status === 'fulfilled') await one.value.release();
  await freeAll([memory, locked]);
});

async function budgetOf(runtimeDir: string) {
  await using client = await connect({ runtimeDir });
  return await client.budget();
}

/** Sends an AllocateMany; resolves to its parts. */
async function allocate(wire: HandoffWire, requests: Draft<'AllocateManyRequest'>) {
  wire.send({ allocateMany: requests });
  return partsOf(wire);
}

t.test('what a client sends is checked', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const wire = await HandoffWire.open(runtimeDir);
  const invalid = { details: [{}], message: /requests|request_id|wait_ms/ };
  for (const requests of [[], many(MAX_MANY + 1, () => MAPPABLE)]) {
    t.match((await allocate(wire, { requests })).error, invalid, `${requests.length} requests`);
  }
  const requestId = randomUUID();
  const same = { requests: [0, 1].map(() => ({ ...MAPPABLE, requestId })) };
  t.match((await allocate(wire, same)).error, invalid, 'one request_id twice');
  wire.send({ claimMany: { requests: many(MAX_MANY + 1, () => ({ allocation: { id: 'x' } })) } });
  t.match((await partsOf(wire)).error, invalid);
  const waits = { allocation: { id: 'x' }, kinds: ['KIND_MAPPABLE'] as const, waitMs: 1 };
  wire.send({ claimMany: { requests: [waits] } });
  const { parts } = await partsOf(wire);
  t.match(parts, [{ outcomes: [{ index: 0, error: invalid }] }]);
  await assertCounts(t, runtimeDir, { sessions: 1 });
  wire.close();
});

t.test('the parts', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const wire = await HandoffWire.open(runtimeDir);
  const { parts } = await allocate(wire, { requests: many(MAX_MANY, () => MAPPABLE), allOrNothing: false });
  const indices = parts.flatMap(({ outcomes }) => outcomes.map(({ index }) => index));
  t.strictSame(
    indices,
    many(MAX_MANY, (index) => index),
    'have the outcomes in order',
  );
  t.ok(parts.length > 1, 'and are several: one message has no room');
  t.equal(
    parts.reduce((sum, { fds }) => sum + fds, 0),
    MAX_MANY,
  );
  await assertCounts(t, runtimeDir, {
    sessions: 1,
    allocations: MAX_MANY,
    grants: MAX_MANY,
    deviceMemories: MAX_MANY,
    fds: MAX_MANY,
  });

  // A repeated request has what the first one made, and new grants of it.
  const requests = many(20, () => ({ ...MAPPABLE, requestId: randomUUID() }));
  const idsOf = async () => {
    wire.send({ allocateMany: { requests } });
    const { message, fds } = await wire.next();
    closeAll(fds);
    return message.allocateMany?.outcomes.map(({ made }) => made?.allocation?.id);
  };
  t.strictSame(await idsOf(), await idsOf(), 'a repeated request makes nothing');

  // One that fails frees nothing that was answered before.
  const { counts } = await budgetOf(runtimeDir);
  for (const wrong of [
    { ...MAPPABLE, name: 'no name!' },
    { ...MAPPABLE, sizeBytes: 1n << 60n },
  ]) {
    t.ok((await allocate(wire, { requests: [requests[0] ?? MAPPABLE, wrong] })).error);
    t.equal((await budgetOf(runtimeDir)).counts.allocations, counts.allocations);
  }
  wire.close();
});

t.test('a client that does not read', async (t) => {
  const daemon = await startDaemon(t);
  const { runtimeDir } = daemon;
  await using client = await connect({ runtimeDir });
  await using memory = await client.allocate({ size: PAGE, name: 'shared' });
  const deaf = await HandoffWire.open(runtimeDir);
  deaf.connection.pause();
  const one = { allocation: { name: 'shared' }, kinds: ['KIND_MAPPABLE'] as const };
  const requests = 8;
  for (let sent = 0; sent < requests; sent += 1) {
    deaf.send({ claimMany: { requests: many(MAX_MANY, () => one) } });
  }
  const granted = async () => (await client.budget()).counts.grants;
  let last = -1;
  for (let seen = await granted(); seen !== last; seen = await granted()) {
    last = seen;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  t.ok(last <= 1 + MAX_MANY, `has at most one message's fds in flight: ${last}`);
  t.ok(last > 1, 'it was served up to there');
  t.ok(openOf(daemon.pid).memory < 10, 'and none are open in the daemon');
  const other = await client.claimMany(many(300, () => ({ name: 'shared' })));
  t.ok(
    other.every(({ status }) => status === 'fulfilled'),
    'others are served',
  );
  for (const each of other) if (each.status === 'fulfilled') await each.value.release();
  deaf.connection.resume();
  for (let answered = 0; answered < requests; answered += 1) {
    const { parts } = await partsOf(deaf);
    const outcomes = parts.flatMap((part): Decoded<'ClaimOutcome'>[] => part.outcomes as never);
    t.equal(outcomes.filter(({ granted }) => granted).length, MAX_MANY, 'once it reads, it gets everything');
  }
  deaf.close();
  await memory.free();
});

t.test('a client that leaves during the answer', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await leaveDuring(t, runtimeDir, { allocateMany: { requests: many(MAX_MANY, () => MAPPABLE) } });
  const alone = { requests: many(MAX_MANY, () => MAPPABLE), allOrNothing: false };
  await leaveDuring(t, runtimeDir, { allocateMany: alone });
});

async function leaveDuring(t: Test, runtimeDir: string, message: Draft<'ClientMessage'>): Promise<void> {
  const wire = await HandoffWire.open(runtimeDir);
  wire.send(message);
  await new Promise((resolve) => setTimeout(resolve, 20));
  wire.close();
  await assertCounts(t, runtimeDir, {});
}

t.test(
  'where fds are scarce, many OPAQUE_FD allocations fail as of fds, and others are served',
  async (t) => {
    const before = ['prlimit', '--nofile=600:600'];
    const { runtimeDir } = await startDaemon(t, { before });
    await using client = await connect({ runtimeDir });
    const shared = await client.allocate({ size: PAGE, name: 'shared' });
    const list = many(250, () => ({ size: PAGE, kinds: ['OPAQUE_FD'] as const }));
    const made = await client.allocateMany(list);
    t.equal(made.length, list.length, 'one request has what the tenant may have');
    await t.rejects(client.allocateMany(list), { code: 'TOO_MANY_FILES' });
    await (await client.claim({ name: 'shared' })).release();
    await freeAll(made);
    const both = await Promise.allSettled([client.allocateMany(list), client.allocateMany(list)]);
    for (const one of both) {
      if (one.status === 'fulfilled') await freeAll(one.value);
      else t.match(one.reason, { code: 'TOO_MANY_FILES' });
    }
    await shared.free();
  },
);
