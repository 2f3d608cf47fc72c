/**
 * ifExists: 'claim': an allocate that uses the existing allocation of its name, as a program that is run
 * again, and against processes that free and allocate that name at the same time.
 */
import { join } from 'node:path';
import type { AllocateOptions, Client } from '@vkmemd/client';
import { VkmemError } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { assertCounts, assertNoLeaks, root, startInProcess as startDaemon } from '../support/daemon.js';
import { connected, MIB, PAGE, runProgram } from './support.js';

type AllocateOrFind = <T>(
  allocate: () => Promise<T>,
  find: () => Promise<T>,
  ended?: Promise<unknown>,
) => Promise<{ result: T; created: boolean }>;
/** Not exported by the package. */
const { allocateOrFind } = (await import(join(root, 'client/typescript/dist/request/if-exists.js'))) as {
  allocateOrFind: AllocateOrFind;
};

/** Frees by name, from a client of its own. */
async function free(t: Test, runtimeDir: string, ...names: string[]): Promise<void> {
  const client = await connected(t, runtimeDir);
  for (const name of names) await client.free({ name });
  await client.close();
}

t.test('an existing allocation of the name is claimed', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const one = await connected(t, runtimeDir);
  const two = await connected(t, runtimeDir);
  const frames = { size: MIB, name: 'frames', ifExists: 'claim' } as const;
  const made = await one.allocate(frames);
  t.equal(made.created, true, 'a missing name is allocated');
  made.map().bytes[0] = 7;
  await t.rejects(two.allocate({ size: MIB, name: 'frames' }), { code: 'NAME_TAKEN' }, "'fail' by default");
  await t.rejects(two.allocate({ ...frames, ifExists: 'fail' }), { code: 'NAME_TAKEN' });
  const used = await two.allocate({ ...frames, size: 1000, access: 'ro' });
  t.match(used, { created: false, id: made.id, size: BigInt(MIB), name: 'frames' });
  t.equal(used.map().bytes[0], 7);
  t.equal(used.grants[0]?.access, 'ACCESS_READ_ONLY', 'with the requested access');
  const bare = await two.allocate({ ...frames, grant: [] });
  t.match(bare, { created: false, id: made.id, grants: [] }, 'or without any handle');
  await assertCounts(t, runtimeDir, { sessions: 2, allocations: 1, grants: 2, fds: 1, deviceMemories: 1 });
  await two.close();
  await made.free();
  const again = await one.allocate(frames);
  t.match(again, { created: true });
  t.not(again.id, made.id);
  await again.free();
  await one.close();
  await assertNoLeaks(t, runtimeDir);
});

t.test('an existing allocation that does not fit the request is NAME_TAKEN', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connected(t, runtimeDir);
  await (await client.allocate({ size: 3 * PAGE, name: 'frames' })).release();
  const cases: [string, Partial<AllocateOptions>, RegExp][] = [
    ['size', { size: 3 * PAGE + 1 }, /^frames exists, but it has 12288 bytes\.$/],
    ['kinds', { kinds: ['MAPPABLE', 'OPAQUE_FD'] }, /it was allocated for MAPPABLE, not for OPAQUE_FD/i],
    ['sharing', { sharing: 'ONE_WRITER' }, /its sharing is SHARING_SHARED\./],
    ['publishable', { publishable: true }, /it cannot be published\./],
    ['dedicated', { dedication: 'ALWAYS' }, /it is not dedicated\./],
    ['memory type', { memoryTypeIndex: 31 }, /its memory type is \d+\./],
    ['properties', { properties: { forbidden: ['HOST_VISIBLE'] } }, /flags of its memory type are 0x/],
    ['buffer', { buffer: { usage: 3 } }, /it is not for that buffer\./],
    ['image', { image: { format: 37, width: 8, usage: 1 } }, /it is not for that image\./],
    ['hints', { hints: { powerOfTwo: true, prefault: true } }, /not a power of two, it is not prefaulted\./],
    ['several', { size: MIB, publishable: true }, /it has 12288 bytes, it cannot be published\./],
  ];
  for (const [what, options, reason] of cases) {
    const request = { size: PAGE, name: 'frames', ifExists: 'claim', ...options } as const;
    await t.rejects(client.allocate(request), { code: 'NAME_TAKEN', reason }, what);
  }
  const less = { size: PAGE, name: 'frames', kinds: ['MAPPABLE', 'OPAQUE_FD'], grant: [] } as const;
  const reason = /it is not for KIND_OPAQUE_FD\./;
  await t.rejects(client.allocate({ ...less, ifExists: 'claim' }), { code: 'NAME_TAKEN', reason });
  await t.rejects(client.control.allocate({ ...less, ifExists: 'claim' }), { code: 'NAME_TAKEN', reason });
  await assertCounts(t, runtimeDir, { sessions: 1, allocations: 1, fds: 1, deviceMemories: 1 });
  const fitting = { size: 2 * PAGE, name: 'frames', ifExists: 'claim', sharing: 'SHARED' } as const;
  const { id } = await client.get({ name: 'frames' });
  t.equal((await client.control.allocate(fitting)).id, id, 'on the control socket too');
  await client.free({ id });
  await client.close();
  await assertNoLeaks(t, runtimeDir);
});

t.test('an allocation for a resource or with hints is claimed by the same request', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connected(t, runtimeDir);
  const image = { format: 37, width: 64, height: 64, usage: 4 };
  const cases: (AllocateOptions & { readonly name: string })[] = [
    { name: 'buffer', size: PAGE, buffer: { usage: 0x20 } },
    { name: 'image', image, kinds: ['OPAQUE_FD'] },
    { name: 'hinted', size: PAGE, hints: { powerOfTwo: true, alignment: 8192, prefault: true } },
    { name: 'typed', size: PAGE, properties: { required: ['HOST_VISIBLE'] }, memoryTypeIndex: 0 },
    { name: 'shared', size: PAGE, sharing: 'EXCLUSIVE', publishable: true },
  ];
  for (const options of cases) {
    const made = await client.allocate({ ...options, ifExists: 'claim' });
    await made.release();
    const used = await client.allocate({ ...options, ifExists: 'claim' });
    t.match(used, { created: false, id: made.id }, options.name);
    await used.free();
  }
  await (await client.allocate({ name: 'image', image, kinds: ['OPAQUE_FD'] })).release();
  const other = { name: 'image', image: { ...image, width: 32 }, kinds: ['OPAQUE_FD'] } as const;
  await t.rejects(client.allocate({ ...other, ifExists: 'claim' }), { code: 'NAME_TAKEN' });
  await client.free({ name: 'image' });
});

t.test('errors of the claim are passed on', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const one = await connected(t, runtimeDir);
  const two = await connected(t, runtimeDir);
  const locked = { size: PAGE, name: 'locked', sharing: 'ONE_WRITER', ifExists: 'claim' } as const;
  const writer = await one.allocate(locked);
  await t.rejects(two.allocate(locked), { code: 'BUSY' });
  await writer.free();
  const model = { size: PAGE, name: 'model', publishable: true, ifExists: 'claim' } as const;
  const published = await one.allocate(model);
  await one.publish(published);
  await t.rejects(two.allocate(model), { code: 'PUBLISHED' });
  const reader = await two.allocate({ ...model, access: 'ro' });
  t.equal(reader.created, false);
  await reader.release();
  await published.free();
});

t.test('invalid values of ifExists are rejected', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connected(t, runtimeDir);
  const allocate = (options: object) => (owner: Client | Client['control']) =>
    owner.allocate({ size: PAGE, ...options } as AllocateOptions) as Promise<unknown>;
  const cases: [string, object][] = [
    ['another word', { name: 'frames', ifExists: 'free' }],
    ['upper case', { name: 'frames', ifExists: 'CLAIM' }],
    ['null', { name: 'frames', ifExists: null }],
    ['true', { name: 'frames', ifExists: true }],
    ['no name', { ifExists: 'claim' }],
    ['an empty name', { name: '', ifExists: 'claim' }],
    ['a lifetime without a name', { name: 'frames', lifetime: 'SESSION', ifExists: 'claim' }],
  ];
  const error = { code: 'INVALID_ARGUMENT', metadata: { field: 'ifExists' } };
  for (const [what, options] of cases) {
    await t.rejects(allocate(options)(client), error, what);
    await t.rejects(allocate(options)(client.control), error, `${what}, control`);
  }
  await t.rejects(allocate({ name: '0/frames', ifExists: 'claim' })(client), { code: 'INVALID_NAME' });
  await t.rejects(allocate({ size: 0, name: 'x', ifExists: 'claim' })(client), { code: 'INVALID_SIZE' });
});

t.test('a program that is run again, or twice at once, uses one allocation', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const run = async (size: number) => {
    const { code, stdout, stderr } = await runProgram('if-exists-program.js', [
      runtimeDir,
      'counter',
      String(size),
    ]);
    t.same({ code, stderr }, { code: 0, stderr: '' });
    return JSON.parse(stdout);
  };
  const first = await run(PAGE);
  t.match(first, { created: true, count: 1 });
  t.strictSame(await run(PAGE), { id: first.id, created: false, count: 2 });
  await free(t, runtimeDir, 'counter');
  const both = await Promise.all([run(256 * MIB), run(256 * MIB)]);
  t.strictSame(both.map(({ created }) => created).sort(), [false, true], 'one of them allocated it');
  t.strictSame(both.map(({ count }) => count).sort(), [1, 2]);
  t.equal(both[0].id, both[1].id);
  await free(t, runtimeDir, 'counter');
  await assertNoLeaks(t, runtimeDir);
});

t.test('of many concurrent requests one allocates and all get the same memory', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const clients = await Promise.all(Array.from({ length: 8 }, () => connected(t, runtimeDir)));
  const frames = { size: 64 * MIB, name: 'frames', ifExists: 'claim' } as const;
  const all = await Promise.all(clients.map((client) => client.allocate(frames)));
  t.equal(all.filter(({ created }) => created).length, 1);
  t.equal(new Set(all.map(({ id }) => id)).size, 1);
  await Promise.all(clients.map((client) => client.close()));
  await free(t, runtimeDir, 'frames');
});

t.test('requests succeed while other clients free the name', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const clients = await Promise.all(Array.from({ length: 4 }, () => connected(t, runtimeDir)));
  const use = async (client: Client) => {
    for (let round = 0; round < 40; round += 1) {
      const memory = await client.allocate({ size: PAGE, name: 'frames', ifExists: 'claim' });
      // Another client may have freed it first.
      await memory.free().catch((failure) => t.match(failure, { code: 'NOT_FOUND' }));
    }
  };
  await t.resolves(Promise.all(clients.map(use)), 'each of 160 claimed or allocated one');
  await Promise.all(clients.map((client) => client.close()));
  await assertNoLeaks(t, runtimeDir);
});

t.test('the number of attempts is limited', async (t) => {
  const rejects = (code: 'NAME_TAKEN' | 'NOT_FOUND' | 'BUDGET_EXCEEDED') => {
    const calls = {
      count: 0,
      call: () => {
        calls.count += 1;
        return Promise.reject(new VkmemError(code, String(calls.count)));
      },
    };
    return calls;
  };
  const taken = rejects('NAME_TAKEN');
  const missing = rejects('NOT_FOUND');
  // The pauses end at once.
  const attempts = allocateOrFind(taken.call, missing.call, Promise.resolve());
  await t.rejects(attempts, { code: 'NAME_TAKEN', reason: '20' });
  t.strictSame([taken.count, missing.count], [20, 20]);
  const over = rejects('BUDGET_EXCEEDED');
  await t.rejects(allocateOrFind(over.call, missing.call), { code: 'BUDGET_EXCEEDED' }, 'at once');
  const misfit = rejects('NAME_TAKEN');
  await t.rejects(allocateOrFind(taken.call, misfit.call), { code: 'NAME_TAKEN', reason: '1' }, 'at once');
});

t.test('closing the client ends the attempts', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const client = await connected(t, runtimeDir);
  const other = await connected(t, runtimeDir);
  const frames = { size: 256 * MIB, name: 'frames' } as const;
  const making = other.allocate(frames);
  const waiting = client.allocate({ ...frames, ifExists: 'claim' });
  setTimeout(() => client.close(), 5);
  await t.rejects(waiting, { code: 'UNAVAILABLE' });
  await (await making).free();
  await other.close();
  await assertNoLeaks(t, runtimeDir);
});
