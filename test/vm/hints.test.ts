/**
 * Hints: the resulting sizes, prefaulted pages, who may write, refusals, and that they survive the daemon.
 * huge-pages.test.ts tests huge pages.
 */
import { fstatSync } from 'node:fs';
import { type AllocateOptions, type Client, connectControl, type Memory } from '@vkmemd/client';
import { freeHugePages, hugePageSizes } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { parsed, vkmemctl } from '../cli/support.js';
import { connected, MIB, PAGE } from '../client/support.js';
import { ANYBODY, startDaemon } from '../support/daemon.js';
import { SupervisedDaemon } from '../support/supervised-daemon.js';
import { asOtherUser, noOtherUser, openToOthers } from '../support/uid.js';

const HUGE = 2n << 20n;

interface Refusal {
  readonly code: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The kernel's status of the file. */
function fileOf(memory: Memory): { bytes: number; allocated: number; mode: number } {
  using fd = memory.fd('MAPPABLE');
  const { size, blocks, mode } = fstatSync(fd.fd);
  return { bytes: size, allocated: blocks * 512, mode: mode & 0o777 };
}

t.test('hints change sizes, pages and modes', async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: ANYBODY });
  openToOthers(runtimeDir);
  const client = await connected(t, runtimeDir);

  await t.test('sizes are rounded by powerOfTwo and alignment', (t) => sizes(t, client));
  await t.test('pages are allocated and reopenable as requested', (t) => pages(t, client));
  await t.test('invalid hints are refused', (t) => refusals(t, client));
  await t.test('reopenable memory can be reopened for writing', { skip: noOtherUser ?? false }, (t) =>
    reopening(t, client, runtimeDir),
  );
  await t.test('hints as options of vkmemctl', (t) => asked(t, runtimeDir));
});

async function sizes(t: Test, client: Client): Promise<void> {
  const cases: [AllocateOptions, number][] = [
    [{ size: 1, hints: { powerOfTwo: true } }, PAGE],
    [{ size: 3 * MIB, hints: { powerOfTwo: true } }, 4 * MIB],
    [{ size: 4 * MIB, hints: { powerOfTwo: true } }, 4 * MIB],
    [{ size: 4 * MIB + 1, hints: { powerOfTwo: true } }, 8 * MIB],
    [{ size: 5 * MIB, hints: { alignment: 2 * MIB } }, 6 * MIB],
    [{ size: 5000, hints: { alignment: 1 } }, 2 * PAGE],
    [{ size: 5 * MIB, hints: { alignment: 2 * MIB, powerOfTwo: true } }, 8 * MIB],
    [{ size: 3 * MIB, kinds: ['OPAQUE_FD'], hints: { powerOfTwo: true } }, 4 * MIB],
    [{ size: 3 * MIB, buffer: { usage: 2 }, hints: { powerOfTwo: true } }, 4 * MIB],
    [{ size: 5000, hints: {} }, 2 * PAGE],
  ];
  for (const [options, expected] of cases) {
    const what = JSON.stringify(options);
    await using memory = await client.allocate({ ...options, grant: [] });
    t.equal(memory.size, BigInt(expected), what);
    const { powerOfTwo = false, alignment = 0 } = options.hints ?? {};
    const plain = !powerOfTwo && alignment === 0;
    t.match(memory.allocation.hints, plain ? null : { powerOfTwo, alignmentBytes: BigInt(alignment) }, what);
  }
}

async function pages(t: Test, client: Client): Promise<void> {
  await using memory = await client.allocate({ size: 3 * MIB, hints: { prefault: true, reopenable: true } });
  t.same(fileOf(memory), { bytes: 3 * MIB, allocated: 3 * MIB, mode: 0o666 });
  t.ok(
    memory.map().bytes.every((byte) => byte === 0),
    'zero',
  );
  await using plain = await client.allocate({ size: MIB });
  t.equal(fileOf(plain).mode, 0o600);
  t.equal(plain.allocation.hints, null);
}

async function refusals(t: Test, client: Client): Promise<void> {
  const invalid = { code: 'INVALID_ARGUMENT' };
  const cases: [string, AllocateOptions, Refusal][] = [
    ['an alignment that is not a power of two', { size: 1, hints: { alignment: 3 * PAGE } }, invalid],
    ['an alignment above the maximum', { size: 1, hints: { alignment: 2n << 30n } }, invalid],
    ['no alignment', { size: 1, hints: { alignment: 0 } }, invalid],
    ['a string as a flag', { size: 1, hints: { prefault: 'yes' as unknown as boolean } }, invalid],
    ['an invalid size of huge pages', { size: 1, hints: { hugePages: 3 * MIB } }, invalid],
    ['a string as a size of huge pages', { size: 1, hints: { hugePages: 'big' as '2M' } }, invalid],
    [
      'a power of two above every heap',
      { size: (1n << 62n) + 1n, hints: { powerOfTwo: true } },
      {
        code: 'SIZE_ABOVE_MAXIMUM',
      },
    ],
    ...(['prefault', 'reopenable'] as const).map((hint): [string, AllocateOptions, Refusal] => [
      `${hint} of an OPAQUE_FD`,
      { size: 1, kinds: ['OPAQUE_FD'], hints: { [hint]: true } },
      { ...invalid, metadata: { field: `hints.${hint}` } },
    ]),
    [
      'a size of huge pages that no kernel supports',
      { size: 1, hints: { hugePages: 8192 } },
      { code: 'HUGE_PAGES_UNAVAILABLE' },
    ],
  ];
  for (const [what, options, refusal] of cases) {
    await t.rejects(client.allocate(options), refusal, what);
  }
  const { heaps } = await client.budget();
  const largest = heaps.reduce((max, { sizeBytes }) => (sizeBytes > max ? sizeBytes : max), 0n);
  const above = { size: largest - 1n, hints: { alignment: 1n << 30n, powerOfTwo: true } };
  if ((largest & (largest - 1n)) !== 0n) {
    await t.rejects(client.allocate(above), { code: 'SIZE_ABOVE_MAXIMUM' }, 'above the heap after rounding');
  }
  const free = freeHugePages(HUGE);
  if (free !== undefined && hugePageSizes()?.includes(HUGE) && (free + 1n) * HUGE < largest) {
    const metadata = {
      huge_page_bytes: String(HUGE),
      needed_pages: String(free + 1n),
      free_pages: String(free),
    };
    const wanted = { size: free * HUGE + 1n, hints: { hugePages: '2M' } } as const;
    await t.rejects(
      client.allocate(wanted),
      { code: 'HUGE_PAGES_UNAVAILABLE', metadata },
      'one page too many',
    );
  }
}

async function reopening(t: Test, client: Client, runtimeDir: string): Promise<void> {
  const options = { size: PAGE, lifetime: 'NAMED' } as const;
  await using closed = await client.allocate({ ...options, name: 'closed' });
  await using open = await client.allocate({ ...options, name: 'open', hints: { reopenable: true } });
  await using published = await client.allocate({
    ...options,
    name: 'published',
    publishable: true,
    hints: { reopenable: true },
  });
  for (const memory of [closed, open, published]) memory.map().bytes[0] = 7;
  await published.release();
  await published.publish();
  const tickets = [closed, open, published].map(async ({ id }) => client.createTicket({ id }));
  const secrets = (await Promise.all(tickets)).map(({ secret }) => secret);
  const reported = await asOtherUser('../vm/other-backend.js', [runtimeDir, ...secrets]);
  const common = { access: 'ro', first: 7 };
  t.same(reported, [
    { ...common, readOnly: 'ENFORCED', reopenable: false, again: 'open EACCES' },
    { ...common, readOnly: 'ADVISORY', reopenable: true, again: 'written' },
    { ...common, readOnly: 'ENFORCED', reopenable: true, again: 'write EPERM' },
  ]);
  t.equal(open.map().bytes[1], 99, 'its write is visible');
  for (const { id } of [closed, open, published]) await client.free({ id });
}

async function asked(t: Test, runtimeDir: string): Promise<void> {
  const run = (...args: string[]) => vkmemctl(runtimeDir, ...args);
  const flags = ['--power-of-two', '--align', '64K', '--prefault', '--reopenable'];
  const text = await run('alloc', 'bar', '--size', '3M', ...flags);
  t.match(text, { code: 0, stdout: /^Allocated bar: 4 MiB/, stderr: '' });
  t.match(text.stdout, /^Hints: power of two, aligned to 64 KiB, prefaulted, reopenable\.$/m);
  const hints = {
    powerOfTwo: true,
    alignmentBytes: 65_536,
    prefault: true,
    hugePageBytes: null,
    reopenable: true,
  };
  t.strictSame(parsed(await run('ls', '--json')).allocations[0].hints, hints);
  const keys = 'size=3M,power-of-two,align=64K,prefault,reopenable';
  const exec = ['exec', '--allocate', `name=bar,${keys},if-exists=claim`, '--', 'true'];
  t.match(await run(...exec), { code: 0, stderr: '' }, 'an existing allocation fits');
  t.match(await run('alloc', 'plain', '--size', '3M'), { code: 0, stdout: /^(?!.*Hints)/ });
  t.match(await run('exec', '--allocate', `name=plain,${keys},if-exists=claim`, '--', 'true'), {
    code: 1,
    stderr: /NAME_TAKEN: .*its size is not a power of two, it is not prefaulted, it is not reopenable/,
  });
  t.match(await run('alloc', 'huge', '--size', '3M', '--huge-pages', '5000'), {
    code: 1,
    stderr: /INVALID_ARGUMENT: .*huge_page_bytes/,
  });
  t.match(await run('free', 'bar', 'plain'), { code: 0 });
}

t.test('hints survive the daemon', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  const { runtimeDir } = daemon;
  const hints = { powerOfTwo: true, alignment: 65_536, prefault: true, reopenable: true };
  await using before = connectControl({ runtimeDir });
  const made = await before.allocate({ size: 3 * MIB, name: 'bar', hints });
  t.match(made.hints, { powerOfTwo: true, prefault: true, reopenable: true });
  await before.allocate({ size: MIB, name: 'plain' });
  await daemon.kill();
  await daemon.serving();
  const client = await connected(t, runtimeDir);
  t.same((await client.get({ name: 'bar' })).hints, made.hints);
  t.equal((await client.get({ name: 'plain' })).hints, null);
  await using memory = await client.claim({ name: 'bar' });
  t.same(fileOf(memory), { bytes: 4 * MIB, allocated: 4 * MIB, mode: 0o666 });
  await memory.free();
  await client.free({ name: 'plain' });
});
